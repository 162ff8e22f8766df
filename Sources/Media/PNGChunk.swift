/// A chunk of a PNG whose length and check sum are right.
struct PNGChunk {
  /// Four ASCII letters.
  let type: String
  let data: ArraySlice<UInt8>
  /// The whole chunk: length, type, data and check sum.
  let whole: ArraySlice<UInt8>

  /// The bytes of a chunk with the given contents.
  static func bytes(type: String, data: [UInt8]) -> [UInt8] {
    let named = Array(type.utf8) + data
    return bigEndianBytes(UInt32(data.count)) + named + bigEndianBytes(CRC32.of(named))
  }

  static func bigEndianBytes(_ value: UInt32) -> [UInt8] {
    [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: value >> $0) }
  }
}
