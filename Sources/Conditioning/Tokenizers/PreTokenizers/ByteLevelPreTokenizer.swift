/// Writes each byte of the text as a character, after a split into words.
///
/// Source: `ByteLevel` in tokenizers (src/pre_tokenizers/byte_level.rs).
struct ByteLevelPreTokenizer: PreTokenizer {
  /// Puts a space before text that does not begin with one.
  var addsPrefixSpace: Bool
  /// What splits words; nil if the text is not split.
  let pattern: WordPattern?

  func split(_ piece: TextPiece) -> [TextPiece] {
    var piece = piece
    if addsPrefixSpace, piece.bytes.first != 0x20 {
      piece = TextPiece(([0x20] + piece.bytes)[...], isAtStart: piece.isAtStart)
    }
    let pieces =
      pattern.map { SplitPreTokenizer(pattern: $0, behavior: .isolated).split(piece) } ?? [piece]
    return pieces.map { TextPiece(ByteAlphabet.encode($0.bytes)[...], isAtStart: $0.isAtStart) }
  }

  var growth: Int { 4 }
}
