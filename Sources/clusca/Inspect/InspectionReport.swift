import StrictJSON

/// What `inspect` says about something.
protocol InspectionReport {
  func json(withTensors: Bool) -> JSONValue
  func lines(withTensors: Bool) -> [String]
  /// What makes it unusable, each one sentence.
  var problems: [String] { get }
}
