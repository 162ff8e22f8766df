@testable import Media

/// Pictures, videos and what they say of themselves.
enum MediaTargets {
  /// So small that a picture takes little time.
  private static let limits = PNGLimits(
    maximumFileBytes: 1 << 20, maximumSide: 1024, maximumPixels: 1 << 14, maximumTextBytes: 1 << 12, maximumTexts: 16)

  /// A PNG, whose check sums are put right.
  static func png(_ bytes: [UInt8]) {
    let bytes = repaired(bytes)
    _ = try? PNG.size(of: bytes, limits: limits)
    if let texts = try? PNG.texts(in: bytes, limits: limits) { _ = try? PictureMetadata(texts: texts) }
    guard let picture = try? PNG.decode(bytes, limits: limits) else { return }
    guard let file = try? PNG.encode(picture), let again = try? PNG.decode(file) else {
      fatalError("A picture that was read cannot be written")
    }
    demand(again == picture, "A picture changes when it is written")
  }

  /// The text that other programs keep settings in.
  static func parameters(_ bytes: [UInt8]) {
    guard let text = String(validating: bytes, as: UTF8.self) else { return }
    let parameters = GenerationParameters(parsing: text)
    guard let written = try? parameters.text() else { return }
    _ = GenerationParameters(parsing: written)
  }

  static func mp4(_ bytes: [UInt8]) { _ = bytes.withUnsafeBytes { MP4Comment.text(in: $0) } }

  private static func repaired(_ bytes: [UInt8]) -> [UInt8] {
    var bytes = bytes
    var place = PNGChunks.signature.count
    while place + 12 <= bytes.count {
      let length = Int(bigEndian(bytes[place..<place + 4]))
      guard length <= bytes.count - place - 12 else { break }
      let end = place + 8 + length
      bytes.replaceSubrange(end..<end + 4, with: PNGChunk.bigEndianBytes(CRC32.of(bytes[place + 4..<end])))
      place = end + 4
    }
    return bytes
  }
}
