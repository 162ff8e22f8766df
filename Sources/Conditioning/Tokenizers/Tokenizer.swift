/// Turns text into the token ids that a text encoder was trained on.
///
/// All tokenizers here follow the "fast" tokenizers of Hugging Face (the Rust library `tokenizers`), which are what
/// diffusers' pipelines run today.
public protocol Tokenizer: Sendable {
  /// Fills up short prompts.
  var padID: Int32 { get }

  /// The longest prompt in tokens, special ones included, if the tokenizer's configuration has one.
  var maximumLength: Int? { get }

  /// The ids of the whole text with the special tokens round it, neither cut nor padded.
  func encode(_ text: String) -> [Int32]

  /// The same, cut or padded to `length` ids. The special tokens stay: a cut prompt still ends with its end token.
  func encode(_ text: String, length: Int) -> EncodedText
}
