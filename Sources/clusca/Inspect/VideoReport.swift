import Media
import StrictJSON

/// An MP4: what it says about how it was made.
struct VideoReport: InspectionReport {
  let path: String
  /// The JSON of clusca; nil if there is none.
  let settings: JSONValue?
  let problems: [String] = []

  init(path: String) throws {
    self.path = path
    settings = try PictureMetadata(path: path).clusca
  }

  func lines(withTensors: Bool) -> [String] {
    guard let settings else { return ["\(path): MP4", "It does not say how it was made."] }
    return ["\(path): MP4", "clusca"] + settings.text(pretty: true).split(separator: "\n").map { "  \($0)" }
  }

  func json(withTensors: Bool) -> JSONValue {
    ["kind": "mp4", "path": .string(path), "clusca": settings ?? .null, "problems": []]
  }
}
