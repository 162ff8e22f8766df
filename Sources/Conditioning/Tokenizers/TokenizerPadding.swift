/// Whether short prompts are filled up.
public enum TokenizerPadding: Sendable, Hashable {
  /// As many ids as the prompt has.
  case none
  /// Always as many ids as the maximum length: `padding="max_length"` of transformers.
  case toMaximumLength
}
