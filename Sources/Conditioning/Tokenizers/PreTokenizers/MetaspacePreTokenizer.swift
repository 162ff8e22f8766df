/// Writes spaces as another character, usually U+2581, and splits before each.
///
/// Source: `Metaspace` in tokenizers (src/pre_tokenizers/metaspace.rs).
struct MetaspacePreTokenizer: PreTokenizer {
  /// Where a space is added that the text does not have.
  enum Prepending: String, Sendable {
    case always
    /// Only at the beginning of the whole text.
    case first
    case never
  }

  let replacement: [UInt8]
  let prepending: Prepending
  var splits = true

  func split(_ piece: TextPiece) -> [TextPiece] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(piece.bytes.count * 2)
    let prepends = prepending == .always || prepending == .first && piece.isAtStart
    if prepends, !piece.bytes.isEmpty, piece.bytes.first != 0x20, !piece.bytes.starts(with: replacement) {
      bytes += replacement
    }
    for byte in piece.bytes {
      if byte == 0x20 { bytes += replacement } else { bytes.append(byte) }
    }
    let whole = TextPiece(bytes[...], isAtStart: piece.isAtStart)
    guard splits else { return bytes.isEmpty ? [] : [whole] }
    return SplitPreTokenizer(pattern: LiteralPattern(literal: replacement), behavior: .mergedWithNext).split(whole)
  }

  var growth: Int { replacement.count + 1 }
}
