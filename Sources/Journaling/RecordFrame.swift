/// A record as it lies in a segment, little-endian:
///
///     0  the letters CLJR
///     4  CRC-32C of all that follows, up to the end of the payload
///     8  length of the payload
///     12 type
///     14 zero
///     16 sequence, which rises by one from record to record
///     24 floor: the sequence up to which everything was on the disk when this was written
///     32 date
///     40 payload, then zeros up to a multiple of 8 bytes
///
/// The floor tells a torn end from damage: a record that some later record knows to have been on the disk was there.
struct RecordFrame: Equatable {
  static let headerBytes = 40
  static let alignment = 8
  private static let magic: [UInt8] = Array("CLJR".utf8)

  var sequence: UInt64
  var floor: UInt64
  var record: JournalRecord

  /// With the zeros behind the payload.
  var byteCount: Int { Self.aligned(Self.headerBytes + record.payload.count) }

  private static func aligned(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }

  var bytes: [UInt8] {
    var body: [UInt8] = []
    body.reserveCapacity(byteCount)
    body.append(littleEndian: UInt32(record.payload.count))
    body.append(littleEndian: record.type)
    body.append(littleEndian: 0 as UInt16)
    body.append(littleEndian: sequence)
    body.append(littleEndian: floor)
    body.append(littleEndian: record.date)
    body += record.payload
    var frame = Self.magic
    frame.reserveCapacity(byteCount)
    frame.append(littleEndian: CRC32C.of(body))
    frame += body
    frame += repeatElement(0, count: byteCount - frame.count)
    return frame
  }

  /// The frame that begins at `offset`; nil if there is none, or it is not whole.
  init?(_ bytes: [UInt8], at offset: Int) {
    guard offset + Self.headerBytes <= bytes.count, bytes[offset..<offset + 4].elementsEqual(Self.magic) else {
      return nil
    }
    let length = Int(bytes.littleEndian(at: offset + 8) as UInt32)
    guard length <= JournalRecord.maximumBytes, offset + Self.aligned(Self.headerBytes + length) <= bytes.count,
      bytes.littleEndian(at: offset + 14) == 0 as UInt16,
      bytes.littleEndian(at: offset + 4) == CRC32C.of(bytes[offset + 8..<offset + Self.headerBytes + length])
    else { return nil }
    sequence = bytes.littleEndian(at: offset + 16)
    floor = bytes.littleEndian(at: offset + 24)
    record = JournalRecord(
      type: bytes.littleEndian(at: offset + 12), date: bytes.littleEndian(at: offset + 32),
      payload: Array(bytes[offset + Self.headerBytes..<offset + Self.headerBytes + length]))
  }

  init(sequence: UInt64, floor: UInt64, _ record: JournalRecord) {
    self.sequence = sequence
    self.floor = floor
    self.record = record
  }
}

extension [UInt8] {
  mutating func append<Number: FixedWidthInteger>(littleEndian number: Number) {
    Swift.withUnsafeBytes(of: number.littleEndian) { append(contentsOf: $0) }
  }

  func littleEndian<Number: FixedWidthInteger>(at offset: Int) -> Number {
    withUnsafeBytes { Number(littleEndian: $0.loadUnaligned(fromByteOffset: offset, as: Number.self)) }
  }
}
