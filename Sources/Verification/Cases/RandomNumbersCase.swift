import Tensors

/// torch CPU RNG
enum RandomNumbersCase: CaseRunner {
  static let kinds: Set<String> = ["torch CPU RNG"]

  static func run(_ comparison: GoldenComparison) async throws {
    comparison.fail("not written yet")
  }
}
