/// Cuts normalized text into the pieces that the model sees one at a time: a component of the `pre_tokenizer` of a
/// tokenizer.json.
protocol PreTokenizer: Sendable {
  /// The pieces in their order, none of them empty. The text of a piece can be another than that it was cut from.
  func split(_ piece: TextPiece) -> [TextPiece]

  /// How many times longer the text can become at most.
  var growth: Int { get }
}

extension PreTokenizer {
  var growth: Int { 1 }
}

/// Several pre-tokenizers, each on the pieces of the one before.
struct PreTokenizerSequence: PreTokenizer {
  let preTokenizers: [any PreTokenizer]

  func split(_ piece: TextPiece) -> [TextPiece] {
    preTokenizers.reduce([piece]) { pieces, preTokenizer in pieces.flatMap(preTokenizer.split) }
  }

  var growth: Int { preTokenizers.reduce(1) { min($0 * $1.growth, 1 << 20) } }
}
