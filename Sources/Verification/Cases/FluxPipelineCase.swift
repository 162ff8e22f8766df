import Tensors

/// FluxPipeline
enum FluxPipelineCase: CaseRunner {
  static let kinds: Set<String> = ["FluxPipeline"]

  static func run(_ comparison: GoldenComparison) async throws {
    comparison.fail("not written yet")
  }
}
