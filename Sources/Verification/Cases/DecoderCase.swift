import Tensors

/// AutoencoderKL.decode (no latent scaling)
enum DecoderCase: CaseRunner {
  static let kinds: Set<String> = ["AutoencoderKL.decode (no latent scaling)"]

  static func run(_ comparison: GoldenComparison) async throws {
    comparison.fail("not written yet")
  }
}
