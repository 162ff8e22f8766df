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

  /// ASCII punctuation, which includes symbols such as `$`, and Unicode's punctuation, for `Punctuation`.
  static let punctuation = ScalarPattern(isRun: false) { scalar in
    switch scalar.value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
    case 0..<0x80: return false
    default: break
    }
    switch scalar.properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return true
    default: return false
    }
  }
}
