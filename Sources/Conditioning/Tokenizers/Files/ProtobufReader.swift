/// Reads the fields of a protobuf message one after the other (https://protobuf.dev/programming-guides/encoding).
struct ProtobufReader {
  enum Value {
    case number(UInt64)
    case fixed32(UInt32)
    case fixed64(UInt64)
    case bytes(ArraySlice<UInt8>)
  }

  private let bytes: ArraySlice<UInt8>
  private var position: Int

  init(_ bytes: ArraySlice<UInt8>) {
    self.bytes = bytes
    position = bytes.startIndex
  }

  private func failure(_ reason: String) -> TokenizerError.Problem { .malformedModel(reason, offset: position) }

  /// The next field; nil at the end of the message.
  mutating func next() throws(TokenizerError.Problem) -> (field: Int, value: Value)? {
    guard position < bytes.endIndex else { return nil }
    let tag = try number()
    guard tag >> 3 > 0, tag >> 3 < 1 << 29 else { throw failure("a field has no number") }
    let field = Int(tag >> 3)
    switch tag & 7 {
    case 0: return (field, .number(try number()))
    case 1: return (field, .fixed64(try fixed(8)))
    case 2:
      let count = try number()
      guard count <= UInt64(bytes.endIndex - position) else { throw failure("a field ends behind the file") }
      defer { position += Int(count) }
      return (field, .bytes(bytes[position..<position + Int(count)]))
    case 5: return (field, .fixed32(UInt32(try fixed(4))))
    default: throw failure("a field has the unknown wire type \(tag & 7)")
    }
  }

  private mutating func number() throws(TokenizerError.Problem) -> UInt64 {
    var value: UInt64 = 0
    for shift in stride(from: UInt64(0), to: 64, by: 7) {
      guard position < bytes.endIndex else { throw failure("the file ends within a number") }
      let byte = bytes[position]
      position += 1
      value |= UInt64(byte & 0x7F) << shift
      if byte < 0x80 { return value }
    }
    throw failure("a number has more than 10 bytes")
  }

  private mutating func fixed(_ count: Int) throws(TokenizerError.Problem) -> UInt64 {
    guard bytes.endIndex - position >= count else { throw failure("the file ends within a number") }
    defer { position += count }
    return (0..<count).reduce(0) { $0 | UInt64(bytes[position + $1]) << (8 * UInt64($1)) }
  }
}
