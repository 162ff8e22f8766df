/// The arithmetic of Hangul syllables: section 3.12 of the Unicode standard.
enum Hangul {
  static let syllables: Range<UInt32> = 0xAC00..<0xAC00 + 19 * perLeading
  private static let leading: Range<UInt32> = 0x1100..<0x1113
  private static let vowels: Range<UInt32> = 0x1161..<0x1176
  /// The trailing consonants begin one behind this, which stands for none.
  private static let noTrailing: UInt32 = 0x11A7
  private static let trailingCount: UInt32 = 28
  private static let perLeading: UInt32 = 21 * trailingCount

  static func decompose(_ syllable: UInt32) -> [UInt32] {
    let index = syllable - syllables.lowerBound
    let trailing = index % trailingCount
    let pair = [
      leading.lowerBound + index / perLeading, vowels.lowerBound + index % perLeading / trailingCount,
    ]
    return trailing == 0 ? pair : pair + [noTrailing + trailing]
  }

  /// A leading consonant with a vowel, or a syllable without trailing consonant with one.
  static func compose(_ first: UInt32, _ second: UInt32) -> UInt32? {
    if leading.contains(first), vowels.contains(second) {
      return syllables.lowerBound + (first - leading.lowerBound) * perLeading
        + (second - vowels.lowerBound) * trailingCount
    }
    if syllables.contains(first), (first - syllables.lowerBound) % trailingCount == 0,
      second > noTrailing, second < noTrailing + trailingCount
    {
      return first + (second - noTrailing)
    }
    return nil
  }
}
