/// The token ids of `out/tokenizers.json`.
enum TokenizersCase {
  static func exists(root: String) -> Bool { false }

  static func run(root: String) -> CaseOutcome {
    CaseOutcome(name: Verification.tokenizersCase, failures: ["not written yet"])
  }
}
