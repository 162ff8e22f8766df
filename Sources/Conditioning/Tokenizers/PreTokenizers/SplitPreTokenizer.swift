/// Splits at the matches of a pattern: `Split`, `Digits`, `Punctuation`, `Whitespace` and `WhitespaceSplit`.
struct SplitPreTokenizer: PreTokenizer {
  let pattern: any SplitPattern
  let behavior: SplitBehavior
  /// Whether what is between the matches counts as the matches.
  var isInverted = false

  func split(_ piece: TextPiece) -> [TextPiece] {
    let text = piece.bytes
    var parts: [(range: Range<Int>, isMatch: Bool)] = []
    var begin = text.startIndex
    var position = text.startIndex
    while position < text.endIndex {
      if let end = pattern.matchEnd(in: text, at: position) {
        if begin < position { parts.append((begin..<position, isInverted)) }
        parts.append((position..<end, !isInverted))
        begin = end
        position = end
      } else {
        position += UTF8Text.scalar(in: text, at: position).count
      }
    }
    if begin < text.endIndex { parts.append((begin..<text.endIndex, isInverted)) }
    return behavior.pieces(of: piece, parts)
  }
}
