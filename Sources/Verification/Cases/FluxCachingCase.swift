import Tensors

/// clusca-flux (authors' code)
enum FluxCachingCase: CaseRunner {
  static let kinds: Set<String> = ["clusca-flux (authors' code)"]

  static func run(_ comparison: GoldenComparison) async throws {
    comparison.fail("not written yet")
  }
}
