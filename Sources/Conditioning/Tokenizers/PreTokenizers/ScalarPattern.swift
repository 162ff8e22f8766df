/// One character of some kind, or as many in a row as there are.
struct ScalarPattern: SplitPattern {
  let isRun: Bool
  let contains: @Sendable (Unicode.Scalar) -> Bool

  func matchEnd(in text: ArraySlice<UInt8>, at position: Int) -> Int? {
    var end = position
    while end < text.endIndex {
      let (scalar, count) = UTF8Text.scalar(in: text, at: end)
      guard contains(scalar) else { break }
      end += count
      if !isRun { break }
    }
    return end > position ? end : nil
  }

  /// White space, for `WhitespaceSplit`.
  static let whiteSpace = ScalarPattern(isRun: false) { $0.properties.isWhitespace }

  /// What Rust's `char::is_numeric` accepts, for `Digits`.
  static let number = ScalarPattern(isRun: false) { scalar in
    switch scalar.properties.generalCategory {
    case .decimalNumber, .letterNumber, .otherNumber: true
    default: false
    }
  }

  /// Punctuation and ASCII's symbols, for `Punctuation`.
  static let punctuation = ScalarPattern(isRun: false) { $0.isPunctuation }
}
