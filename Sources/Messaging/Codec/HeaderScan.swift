/// Reads over a header before protobuf-c sees it: known fields of the kind only, each in its layout and once, within its
/// bounds. What passes needs no recursion and little memory to unpack.
///
/// Source of the encoding: "Encoding" in the documentation of Protocol Buffers.
struct HeaderScan {
  /// The most bytes of a packed field: eight varints of 32 bits.
  private static let packedBytes = 40

  private let bytes: UnsafeRawBufferPointer
  private var position: Int
  private var seen: FieldSet = []
  /// Where each field begins, by its number; 0 for one that is not there.
  private(set) var offsets = [UInt16](repeating: 0, count: FieldSet.limit)

  /// - Parameters:
  ///   - bytes: the header with the bytes in front.
  ///   - start: where the fields begin.
  init(_ bytes: UnsafeRawBufferPointer, from start: Int, kind: MessageKind, limits: Limits) throws(MalformedMessage) {
    self.bytes = bytes
    position = start
    let allowed = kind.fields.union(.fence)
    var fields = 0
    while position < bytes.count {
      let offset = position
      fields += 1
      guard fields <= limits.headerFields else {
        throw MalformedMessage("More than \(limits.headerFields) fields", at: offset)
      }
      let tag = try varint(maximum: UInt64(UInt32.max))
      guard tag >> 3 < FieldSet.limit, let field = HeaderField(rawValue: Int(tag >> 3)) else {
        throw MalformedMessage("Field \(tag >> 3) is unknown", at: offset)
      }
      guard allowed.contains(field) else { throw MalformedMessage("\(field) does not belong to \(kind)", at: offset) }
      guard field.layout == .repeatedBytes || !seen.contains(field) else {
        throw MalformedMessage("\(field) stands twice", at: offset)
      }
      seen.insert(field)
      offsets[field.rawValue] = UInt16(truncatingIfNeeded: offset)
      try skip(field, wire: tag & 7, from: offset)
    }
  }

  private mutating func skip(_ field: HeaderField, wire: UInt64, from offset: Int) throws(MalformedMessage) {
    switch (field.layout, wire) {
    case (.varint32, 0): _ = try varint(maximum: UInt64(UInt32.max))
    case (.varint64, 0): _ = try varint(maximum: .max)
    case (.fixed32, 5): try advance(4)
    case (.fixed64, 1): try advance(8)
    case (.text, 2):
      let start = try chunk()
      guard !bytes[start..<position].contains(0) else {
        throw MalformedMessage("\(field) holds a zero byte", at: start)
      }
    case (.bytes, 2), (.repeatedBytes, 2): _ = try chunk()
    case (.packed, 2):
      let start = try chunk()
      let end = position
      guard end - start <= Self.packedBytes else { throw MalformedMessage("\(field) is too long", at: start) }
      position = start
      while position < end { _ = try varint(maximum: UInt64(UInt32.max)) }
      guard position == end else { throw MalformedMessage("\(field) ends within a number", at: end) }
    default: throw MalformedMessage("\(field) has the wrong layout", at: offset)
    }
  }

  /// Skips a length and as many bytes; returns where the bytes begin.
  private mutating func chunk() throws(MalformedMessage) -> Int {
    let length = try varint(maximum: UInt64(UInt32.max))
    let start = position
    try advance(Int(length))
    return start
  }

  private mutating func advance(_ count: Int) throws(MalformedMessage) {
    guard count <= bytes.count - position else {
      throw MalformedMessage("The header ends within a field", at: position)
    }
    position += count
  }

  private mutating func varint(maximum: UInt64) throws(MalformedMessage) -> UInt64 {
    let start = position
    var value: UInt64 = 0
    var shift: UInt64 = 0
    while true {
      guard position < bytes.count else { throw MalformedMessage("The header ends within a number", at: start) }
      let byte = bytes[position]
      position += 1
      // The tenth byte holds the last of 64 bits.
      guard shift < 63 || byte <= 1 else { throw MalformedMessage("A number has more than 64 bits", at: start) }
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { break }
      shift += 7
    }
    guard value <= maximum else { throw MalformedMessage("A number is too large", at: start) }
    return value
  }
}
