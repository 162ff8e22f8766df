/// Turns pieces of text into ids of a vocabulary: the `model` of a tokenizer.json.
protocol TokenModel: Sendable {
  /// How many tokens the vocabulary has. Added tokens that are not among them get ids from here on.
  var tokenCount: Int { get }

  var maximumID: Int32 { get }

  /// The id of one whole token.
  func id(of token: String) -> Int32?

  /// Appends the ids of a piece of valid UTF-8.
  func tokenize(_ piece: ArraySlice<UInt8>, into ids: inout [Int32])
}
