/// A prompt as a fixed number of token ids.
public struct EncodedText: Sendable, Hashable {
  /// As many ids as were asked for.
  public let ids: [Int32]

  /// Where the tokens stand; the rest is padding. This is the attention mask of a text encoder that has one.
  public let tokens: Range<Int>

  /// How many tokens of the text did not fit.
  public let cutCount: Int

  public init(ids: [Int32], tokens: Range<Int>, cutCount: Int) {
    self.ids = ids
    self.tokens = tokens
    self.cutCount = cutCount
  }
}
