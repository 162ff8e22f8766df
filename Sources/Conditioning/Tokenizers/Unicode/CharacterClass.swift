/// What the split patterns of tokenizers tell apart: `\p{L}`, `\p{N}`, `\s` and the rest.
enum CharacterClass {
  case letter
  case number
  case space
  case other

  /// By Unicode 16, as the Oniguruma of the fast tokenizers has it: what came later counts as unassigned.
  @inline(__always)
  init(_ scalar: Unicode.Scalar) {
    self = scalar.value < 0x80 ? Self.ascii[Int(scalar.value)] : CharacterClass(beyondASCII: scalar)
  }

  private init(beyondASCII scalar: Unicode.Scalar) {
    let properties = scalar.properties
    switch properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: self = .letter
    case .decimalNumber, .letterNumber, .otherNumber: self = .number
    default: self = properties.isWhitespace ? .space : .other
    }
    if self != .other, let age = properties.age, age.major > 16 { self = .other }
  }

  private static let ascii = (0..<0x80).map { CharacterClass(beyondASCII: Unicode.Scalar(UInt8($0))) }
}

extension Unicode.Scalar {
  /// `\w` (UTS #18, annex C), by Unicode 16 as in the regular expressions of Rust.
  var isWordCharacter: Bool {
    if value < 0x80 {
      return value >= 0x61 && value <= 0x7A || value >= 0x41 && value <= 0x5A || value >= 0x30 && value <= 0x39
        || value == 0x5F
    }
    let isWord =
      switch properties.generalCategory {
      case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
      default: properties.isAlphabetic || properties.isJoinControl
      }
    guard isWord, let age = properties.age else { return false }
    return age.major <= 16
  }

  /// What the pre-tokenizer `Punctuation` splits at: ASCII's punctuation, which includes symbols such as `$`, and
  /// Unicode's by version 8, which the crate unicode_categories has.
  var isPunctuation: Bool {
    switch value {
    case 0x21...0x2F, 0x3A...0x40, 0x5B...0x60, 0x7B...0x7E: return true
    case 0..<0x80: return false
    // Of another category since.
    case 0x166D, 0x111C9: return true
    default: break
    }
    switch properties.generalCategory {
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation, .initialPunctuation,
      .finalPunctuation, .otherPunctuation:
      return properties.age.map { $0.major <= 8 } ?? false
    default: return false
    }
  }
}
