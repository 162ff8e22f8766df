/// Runs the cases of one kind: feeds the recorded inputs to this program's own code and compares what comes out.
protocol CaseRunner: Sendable {
  /// The kinds of the manifest that it runs.
  static var kinds: Set<String> { get }
  /// Computes everything that the case records, handing it to the comparison.
  static func run(_ comparison: GoldenComparison) async throws
  /// Whether a recorded tensor was fed in and is no result.
  static func isInput(_ name: String) -> Bool
}

extension CaseRunner {
  static func isInput(_ name: String) -> Bool { name.hasPrefix("in.") }
}
