/// Removes combining marks; letters with accents must have been decomposed before.
///
/// Source: `StripAccents` in tokenizers (src/normalizers/strip.rs); marks are those of Unicode 9, as for
/// ``NormalizationForm``.
struct StripAccentsNormalizer: Normalizer {
  func normalize(_ text: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var position = 0
    while position < text.count {
      let (scalar, count) = UTF8Text.scalar(in: text[...], at: position)
      if !Self.isMark(scalar) { bytes.append(contentsOf: text[position..<position + count]) }
      position += count
    }
    return bytes
  }

  private static func isMark(_ scalar: Unicode.Scalar) -> Bool {
    // The first mark is U+0300.
    guard scalar.value >= 0x300 else { return false }
    switch scalar.value {
    // Of another category since.
    case 0x1CF2, 0x1CF3: return true
    case 0x111C9: return false
    default: break
    }
    switch scalar.properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark:
      guard let age = scalar.properties.age else { return false }
      return age.major <= 9
    default: return false
    }
  }
}
