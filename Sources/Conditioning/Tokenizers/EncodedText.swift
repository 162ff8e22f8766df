/// A prompt as token ids.
public struct EncodedText: Sendable, Hashable {
  public let ids: [Int32]

  /// Where the tokens stand; the rest is padding.
  public let tokens: Range<Int>

  /// How many tokens of the text did not fit.
  public let cutCount: Int

  public init(ids: [Int32], tokens: Range<Int>, cutCount: Int) {
    self.ids = ids
    self.tokens = tokens
    self.cutCount = cutCount
  }

  /// 1 for each token, 0 for padding.
  public var attentionMask: [Int32] { ids.indices.map { tokens.contains($0) ? 1 : 0 } }
}
