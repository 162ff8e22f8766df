/// A pattern that text is split by. There is no regular-expression engine: each pattern that real tokenizers name is
/// written by hand, so that no text and no file can make it slow.
protocol SplitPattern: Sendable {
  /// Where the match that begins at `position` ends, always behind `position`; nil if none begins there.
  func matchEnd(in text: ArraySlice<UInt8>, at position: Int) -> Int?
}

/// A fixed string.
struct LiteralPattern: SplitPattern {
  let literal: [UInt8]

  func matchEnd(in text: ArraySlice<UInt8>, at position: Int) -> Int? {
    guard !literal.isEmpty, text[position...].starts(with: literal) else { return nil }
    return position + literal.count
  }
}

/// At least `minimum` spaces in a row (` {2,}` and the like).
struct SpacesPattern: SplitPattern {
  let minimum: Int

  func matchEnd(in text: ArraySlice<UInt8>, at position: Int) -> Int? {
    var end = position
    while end < text.endIndex, text[end] == UInt8(ascii: " ") { end += 1 }
    return end - position >= minimum ? end : nil
  }
}

/// `\s+`.
struct WhiteSpacePattern: SplitPattern {
  func matchEnd(in text: ArraySlice<UInt8>, at position: Int) -> Int? {
    let end = text.end(ofRun: .space, from: position)
    return end > position ? end : nil
  }
}

extension ArraySlice<UInt8> {
  /// Where the characters of one class that begin at `position` end.
  func end(ofRun wanted: CharacterClass, from position: Int, atMost limit: Int = .max) -> Int {
    var end = position
    var length = 0
    while end < endIndex, length < limit {
      let (scalar, count) = UTF8Text.scalar(in: self, at: end)
      guard CharacterClass(scalar) == wanted else { break }
      end += count
      length += 1
    }
    return end
  }
}
