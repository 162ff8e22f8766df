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
  /// `\w` (UTS #18, annex C).
  var isWordCharacter: Bool {
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
    default: properties.isAlphabetic || properties.isJoinControl
    }
  }
}
