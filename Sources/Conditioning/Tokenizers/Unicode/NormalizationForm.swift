/// The four normalization forms of Unicode (UAX #15), with the character data of Unicode 9.0.
///
/// The Rust library behind the fast tokenizers normalizes by that version (its crate unicode-normalization-alignments),
/// and a vocabulary is only met where both agree. Foundation on Linux is no help: it composes characters beyond U+FFFF
/// by their lower 16 bits, so that U+2003C and U+0338 become U+226E.
enum NormalizationForm: String, Sendable {
  case canonicalDecomposition = "NFD"
  case canonicalComposition = "NFC"
  case compatibilityDecomposition = "NFKD"
  case compatibilityComposition = "NFKC"

  private var composes: Bool { self == .canonicalComposition || self == .compatibilityComposition }
  private var isCompatibility: Bool { self == .compatibilityDecomposition || self == .compatibilityComposition }

  /// The normalized text, both in UTF-8.
  func normalize(_ text: [UInt8]) -> [UInt8] {
    // Below U+0300, whose first byte is 0xCC, nothing combines; below U+0080 nothing decomposes either.
    let firstAffectedByte: UInt8 = self == .canonicalComposition ? 0xCC : 0x80
    guard text.contains(where: { $0 >= firstAffectedByte }) else { return text }
    var scalars = decompose(text)
    order(&scalars)
    if composes { compose(&scalars) }
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    for scalar in scalars { UTF8Text.append(scalar.value, to: &bytes) }
    return bytes
  }

  /// A character with its canonical combining class; 0 is a starter.
  private struct Combining {
    var value: UInt32
    var combiningClass: UInt8

    init(_ value: UInt32) {
      self.value = value
      combiningClass = 0
      guard value >= 0x300, let properties = Unicode.Scalar(value)?.properties else { return }
      let combiningClass = UInt8(properties.canonicalCombiningClass.rawValue)
      guard combiningClass != 0, let age = properties.age, age.major <= 9 else { return }
      self.combiningClass = combiningClass
    }
  }

  private func decompose(_ text: [UInt8]) -> [Combining] {
    var scalars: [Combining] = []
    scalars.reserveCapacity(text.count)
    var position = 0
    while position < text.count {
      let (scalar, count) = UTF8Text.scalar(in: text[...], at: position)
      position += count
      decompose(scalar.value, into: &scalars)
    }
    return scalars
  }

  private func decompose(_ value: UInt32, into scalars: inout [Combining]) {
    if value < 0x80 {
      scalars.append(Combining(value))
    } else if Hangul.syllables.contains(value) {
      for part in Hangul.decompose(value) { scalars.append(Combining(part)) }
    } else if let targets = DecompositionTable.canonical[value]
      ?? (isCompatibility ? DecompositionTable.compatibility[value] : nil)
    {
      for target in targets { decompose(target, into: &scalars) }
    } else {
      scalars.append(Combining(value))
    }
  }

  /// Sorts each run of combining marks by class; marks of one class keep their order (`sort` is stable).
  private func order(_ scalars: inout [Combining]) {
    var begin = 0
    while begin < scalars.count {
      guard scalars[begin].combiningClass != 0 else {
        begin += 1
        continue
      }
      var end = begin + 1
      while end < scalars.count, scalars[end].combiningClass != 0 { end += 1 }
      if end - begin > 1 { scalars[begin..<end].sort { $0.combiningClass < $1.combiningClass } }
      begin = end
    }
  }

  /// Joins each starter with the marks behind it that no mark of the same or a higher class separates from it.
  private func compose(_ scalars: inout [Combining]) {
    var starter: Int?
    var written = 0
    for index in scalars.indices {
      let current = scalars[index]
      if let starter {
        let isAdjacent = starter == written - 1
        let isBlocked = !isAdjacent && scalars[written - 1].combiningClass >= current.combiningClass
        if !isBlocked, let composite = Self.composite(scalars[starter].value, current.value) {
          scalars[starter].value = composite
          continue
        }
      }
      if current.combiningClass == 0 { starter = written }
      scalars[written] = current
      written += 1
    }
    scalars.removeLast(scalars.count - written)
  }

  private static func composite(_ first: UInt32, _ second: UInt32) -> UInt32? {
    Hangul.compose(first, second) ?? pairs[DecompositionTable.key(first, second)]
  }

  private static let pairs = DecompositionTable.canonical.pairs
}
