/// A set of byte strings with values, as SentencePiece stores its table of characters.
///
/// Source: the format of Darts-clone (https://github.com/s-yata/darts-clone, include/darts.h, `DoubleArrayUnit`): 32 bits
/// a node, of which bits 0-7 and 31 are its label, bit 8 says that it has a value, and the rest is the distance to its
/// children.
struct DoubleArray: Sendable {
  private let units: [UInt32]

  init(_ units: [UInt32]) { self.units = units }

  /// The value of the shortest member that `key` begins with.
  func firstPrefixValue(_ key: some Sequence<UInt8>) -> Int? {
    guard var unit = units.first else { return nil }
    var node = Self.offset(unit)
    for byte in key {
      guard byte != 0 else { return nil }
      node ^= Int(byte)
      guard node < units.count else { return nil }
      unit = units[node]
      guard unit & 0x8000_00FF == UInt32(byte) else { return nil }
      node ^= Self.offset(unit)
      if unit & 0x100 != 0 { return node < units.count ? Int(units[node] & 0x7FFF_FFFF) : nil }
    }
    return nil
  }

  private static func offset(_ unit: UInt32) -> Int { Int(unit >> 10) << (unit & 0x200 == 0 ? 0 : 8) }
}
