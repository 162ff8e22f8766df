import Tensors

/// scheduler tables
enum SchedulerTablesCase: CaseRunner {
  static let kinds: Set<String> = ["scheduler tables"]

  static func run(_ comparison: GoldenComparison) async throws {
    comparison.fail("not written yet")
  }
}
