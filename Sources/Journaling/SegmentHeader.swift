/// What a segment begins with, little-endian:
///
///     0  the letters CLUSCAJL
///     8  version of the format, then seven zeros
///     16 number of the segment
///     24 base: the sequence of the last record that the snapshot tells of
///     32 records in the snapshot
///     40 CRC-32C of the forty bytes before, then four zeros
struct SegmentHeader: Equatable {
  static let byteCount = 48
  /// Raised when a reader of before would misunderstand what is written.
  static let version: UInt8 = 1
  private static let magic: [UInt8] = Array("CLUSCAJL".utf8)
  private static let checkedBytes = 40
  private static let endOfNumbers: UInt64 = 1 << 62

  var number: UInt64
  var base: UInt64
  var snapshotCount: UInt64

  enum Problem: Error, Equatable {
    case damaged
    case version(UInt8)
  }

  var bytes: [UInt8] {
    var bytes = Self.magic + [Self.version] + [UInt8](repeating: 0, count: 7)
    bytes.append(littleEndian: number)
    bytes.append(littleEndian: base)
    bytes.append(littleEndian: snapshotCount)
    bytes.append(littleEndian: CRC32C.of(bytes))
    return bytes + [UInt8](repeating: 0, count: 4)
  }

  init(number: UInt64, base: UInt64, snapshotCount: UInt64) {
    self.number = number
    self.base = base
    self.snapshotCount = snapshotCount
  }

  init(_ bytes: [UInt8]) throws(Problem) {
    guard bytes.count >= Self.byteCount, bytes.prefix(8).elementsEqual(Self.magic),
      bytes.littleEndian(at: Self.checkedBytes) == CRC32C.of(bytes.prefix(Self.checkedBytes))
    else { throw .damaged }
    guard bytes[8] == Self.version else { throw .version(bytes[8]) }
    number = bytes.littleEndian(at: 16)
    base = bytes.littleEndian(at: 24)
    snapshotCount = bytes.littleEndian(at: 32)
    // So many there are not; those that follow must be numbers too.
    guard number < Self.endOfNumbers, base < Self.endOfNumbers else { throw .damaged }
  }
}
