/// Walks the chunks of a PNG from signature to IEND without copying, and refuses a damaged one.
///
/// Bytes behind IEND are left alone: cameras and archives append to pictures, and every viewer accepts them.
struct PNGChunks {
  static let signature: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
  /// Signature and IHDR, after which text may stand.
  static let headerBytes = 8 + 12 + 13

  private let bytes: [UInt8]
  private var offset = PNGChunks.signature.count
  private var ended = false
  let header: PNGHeader

  /// Starts behind the header, which is read and checked here.
  init(_ bytes: [UInt8], limits: PNGLimits) throws(MediaError) {
    guard bytes.starts(with: PNGChunks.signature) else {
      let cut = !bytes.isEmpty && PNGChunks.signature.starts(with: bytes)
      throw .unreadablePNG(cut ? "it ends too early" : "it does not begin as a PNG does")
    }
    self.bytes = bytes
    var offset = self.offset
    let first = try PNGChunks.chunk(bytes, at: &offset)
    guard first.type == "IHDR" else { throw .unreadablePNG("its first chunk is not the header") }
    header = try PNGHeader(first.data)
    try header.check(limits)
    self.offset = offset
  }

  /// The next chunk, IEND being the last; nil behind it.
  mutating func next() throws(MediaError) -> PNGChunk? {
    guard !ended else { return nil }
    let chunk = try PNGChunks.chunk(bytes, at: &offset)
    switch chunk.type {
    case "IHDR": throw .unreadablePNG("it has two headers")
    case "IEND":
      guard chunk.data.isEmpty else { throw .unreadablePNG("its last chunk is not empty") }
      ended = true
    default: break
    }
    return chunk
  }

  private static func chunk(_ bytes: [UInt8], at offset: inout Int) throws(MediaError) -> PNGChunk {
    guard bytes.count - offset >= 12 else { throw .unreadablePNG("it ends too early") }
    let length = Int(bigEndian(bytes[offset..<offset + 4]))
    guard length <= Int32.max else { throw .unreadablePNG("a chunk claims \(length) bytes at byte \(offset)") }
    guard length <= bytes.count - offset - 12 else {
      throw .unreadablePNG("it ends too early: a chunk at byte \(offset) claims \(length) bytes")
    }
    let name = bytes[offset + 4..<offset + 8]
    guard name.allSatisfy({ (0x41...0x5A).contains($0) || (0x61...0x7A).contains($0) }) else {
      throw .unreadablePNG("a chunk without a name stands at byte \(offset)")
    }
    let type = String(decoding: name, as: UTF8.self)
    let end = offset + 8 + length
    guard CRC32.of(bytes[offset + 4..<end]) == UInt32(bigEndian(bytes[end..<end + 4])) else {
      throw .unreadablePNG("the check sum of chunk \(type) at byte \(offset) is wrong")
    }
    defer { offset = end + 4 }
    return PNGChunk(type: type, data: bytes[offset + 8..<end], whole: bytes[offset..<end + 4])
  }
}
