/// The cyclic redundancy check behind every PNG chunk (ISO 3309, polynomial 0xEDB88320; PNG third edition, annex D).
struct CRC32 {
  private static let table: [UInt32] = (0..<256).map { index in
    (0..<8).reduce(UInt32(index)) { value, _ in value & 1 == 1 ? 0xEDB8_8320 ^ (value >> 1) : value >> 1 }
  }

  private var state: UInt32 = 0xFFFF_FFFF

  mutating func update(_ bytes: some Sequence<UInt8>) {
    CRC32.table.withUnsafeBufferPointer { table in
      for byte in bytes {
        state = table[Int(UInt8(truncatingIfNeeded: state) ^ byte)] ^ (state >> 8)
      }
    }
  }

  var value: UInt32 { ~state }

  static func of(_ bytes: some Sequence<UInt8>) -> UInt32 {
    var check = CRC32()
    check.update(bytes)
    return check.value
  }
}
