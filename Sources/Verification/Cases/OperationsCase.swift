import Tensors

/// single operations
enum OperationsCase: CaseRunner {
  static let kinds: Set<String> = ["single operations"]

  static func run(_ comparison: GoldenComparison) async throws {
    comparison.fail("not written yet")
  }
}
