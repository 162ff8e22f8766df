internal import CPNG
import Files

/// Pictures as PNG files, by libpng's simplified interface (its manual, section V).
///
/// The rest of libpng reports errors with `longjmp`, which must not cross Swift; that interface keeps the jumps within
/// C, but knows no text. The text chunks are therefore written and read here, and libpng is handed a file of which
/// every chunk has been checked and from which all chunks but those that make the pixels were taken away.
public enum PNG {
  /// The file of a picture, `texts` in the given order between header and pixels, so that they can be read without
  /// decoding. The same picture and texts give the same bytes, as long as libpng and zlib are the same.
  public static func encode(_ picture: Picture, texts: [PNGText] = []) throws(MediaError) -> [UInt8] {
    var textBytes: [UInt8] = []
    guard texts.count <= PNGLimits().maximumTexts else {
      throw .unsuitableText("\(texts.count) texts are more than the \(PNGLimits().maximumTexts) a PNG should carry")
    }
    for text in texts { try textBytes += text.chunk() }
    var file = try pixels(picture)
    file.insert(contentsOf: textBytes, at: PNGChunks.headerBytes)
    return file
  }

  /// The picture of a file of any colour type, depth and interlacing.
  ///
  /// Grey and palette become RGB, 16 bits are rounded to 8, and a gAMA chunk is applied; colour profiles are not.
  /// Transparent pixels are laid over `background`, in sRGB as browsers and Pillow do it.
  public static func decode(
    _ bytes: [UInt8], over background: Colour = .white, limits: PNGLimits = PNGLimits()
  ) throws(MediaError) -> Picture {
    let file = try essential(bytes, limits: limits)
    var image = emptyImage()
    defer { png_image_free(&image) }
    let count = try Picture.byteCount(width: file.header.width, height: file.header.height)
    let pixels = file.header.width * file.header.height

    var hasAlpha = false
    var decoded: [UInt8]? = nil
    file.bytes.withUnsafeBytes { buffer in
      guard png_image_begin_read_from_memory(&image, buffer.baseAddress, buffer.count) != 0,
        image.width == file.header.width, image.height == file.header.height
      else { return }
      hasAlpha = image.format & pngAlpha != 0
      image.format = hasAlpha ? pngRGBA : pngRGB
      // Without it libpng takes 16-bit samples without gAMA for linear light; every other program takes them for sRGB.
      image.flags |= png16BitIsSRGB
      var succeeded = false
      let samples = [UInt8](unsafeUninitializedCapacity: hasAlpha ? 4 * pixels : count) { buffer, initialized in
        buffer.initialize(repeating: 0)
        succeeded = png_image_finish_read(&image, nil, buffer.baseAddress, 0, nil) != 0
        initialized = buffer.count
      }
      if succeeded { decoded = samples }
    }
    guard let decoded else { throw .unreadablePNG(message(of: image)) }
    let samples = hasAlpha ? lay(decoded, over: background) : decoded
    return try Picture(width: file.header.width, height: file.header.height, bytes: samples)
  }

  /// The texts of a file in its order, before and behind the pixels, which are not decoded.
  ///
  /// Compressed text (zTXt, and iTXt with that flag) is skipped; nothing that pictures of this kind carry is written
  /// so. A text beyond the limits, a wrong check sum and invalid UTF-8 are errors.
  public static func texts(in bytes: [UInt8], limits: PNGLimits = PNGLimits()) throws(MediaError) -> [PNGText] {
    var chunks = try PNGChunks(bytes, limits: limits)
    var texts: [PNGText] = []
    while let chunk = try chunks.next() {
      guard let text = try PNGText(chunk, limits: limits) else { continue }
      guard texts.count < limits.maximumTexts else {
        throw .unreadablePNG("it has more than \(limits.maximumTexts) texts")
      }
      texts.append(text)
    }
    return texts
  }

  /// The bytes of a PNG file, for `decode` and `texts`, within the limits' `maximumFileBytes`.
  public static func file(_ path: String, limits: PNGLimits = PNGLimits()) throws(FileError) -> [UInt8] {
    try InputFile.read(path, maximumBytes: limits.maximumFileBytes)
  }

  /// The size that a file claims, without decoding it.
  public static func size(
    of bytes: [UInt8], limits: PNGLimits = PNGLimits()
  ) throws(MediaError) -> (width: Int, height: Int) {
    let header = try PNGChunks(bytes, limits: limits).header
    return (header.width, header.height)
  }

  /// The version of libpng that is in use, such as "1.6.39".
  public static var libraryVersion: String { png_get_libpng_ver(nil).map { String(cString: $0) } ?? "unknown" }

  // MARK: - libpng

  // The names of the header, whose constants are too involved for the importer.
  private static let pngAlpha: UInt32 = 0x01
  private static let pngRGB: UInt32 = 0x02
  private static let pngRGBA: UInt32 = 0x03
  private static let png16BitIsSRGB: UInt32 = 0x04

  private static func emptyImage() -> png_image {
    var image = png_image()
    image.version = UInt32(PNG_IMAGE_VERSION)
    return image
  }

  private static func message(of image: png_image) -> String {
    let text = withUnsafeBytes(of: image.message) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
    return text.isEmpty ? "libpng gives no reason" : text
  }

  private static func pixels(_ picture: Picture) throws(MediaError) -> [UInt8] {
    var image = emptyImage()
    defer { png_image_free(&image) }
    image.width = UInt32(picture.width)
    image.height = UInt32(picture.height)
    image.format = pngRGB
    // Room for rows that do not shrink: deflate adds 5 bytes to 16 KiB and libpng 12 to every 8 KiB, under 1 part in
    // 500. Should that not do, libpng says how much it wants.
    let raw = (3 * picture.width + 1) * picture.height
    var room = raw + raw / 100 + 4096
    for _ in 0..<2 {
      var size = room
      var succeeded = false
      let file = [UInt8](unsafeUninitializedCapacity: room) { buffer, initialized in
        succeeded = png_image_write_to_memory(&image, buffer.baseAddress, &size, 0, picture.bytes, 0, nil) != 0
        initialized = succeeded ? size : 0
      }
      if succeeded { return file }
      guard size > room else { break }
      room = size
    }
    throw .unwritablePNG(message(of: image))
  }

  /// The file without the chunks that pixels can do without. Text, profiles and the like may be compressed a
  /// thousandfold and would be unpacked by libpng for nothing.
  private static func essential(
    _ bytes: [UInt8], limits: PNGLimits
  ) throws(MediaError) -> (header: PNGHeader, bytes: [UInt8]) {
    let needed: Set<String> = ["PLTE", "tRNS", "gAMA", "sRGB", "IDAT", "IEND"]
    var chunks = try PNGChunks(bytes, limits: limits)
    var kept = Array(bytes[..<PNGChunks.headerBytes])
    kept.reserveCapacity(bytes.count)
    var compressed = 0
    while let chunk = try chunks.next() {
      if needed.contains(chunk.type) {
        kept += chunk.whole
      } else if chunk.type.utf8.first.map({ $0 & 0x20 == 0 }) ?? true {
        // A capital first letter: whoever does not know the chunk cannot show the picture (section 5.4).
        throw .unreadablePNG("it needs the unknown chunk \(chunk.type)")
      }
      if chunk.type == "IDAT" { compressed += chunk.data.count }
    }
    guard compressed >= chunks.header.fewestCompressedBytes, compressed > 0 else {
      throw .unreadablePNG(
        "\(compressed) bytes cannot hold the \(chunks.header.width)x\(chunks.header.height) pixels it claims")
    }
    return (chunks.header, kept)
  }

  /// Lays straight RGBA samples over a colour: `(alpha * sample + (255 - alpha) * background) / 255`, rounded.
  private static func lay(_ rgba: [UInt8], over background: Colour) -> [UInt8] {
    let under = [background.red, background.green, background.blue].map(Int.init)
    let pixels = rgba.count / 4
    return [UInt8](unsafeUninitializedCapacity: 3 * pixels) { buffer, initialized in
      for pixel in 0..<pixels {
        let alpha = Int(rgba[4 * pixel + 3])
        for channel in 0..<3 {
          let sum = alpha * Int(rgba[4 * pixel + channel]) + (255 - alpha) * under[channel]
          buffer.initializeElement(at: 3 * pixel + channel, to: UInt8((sum + 127) / 255))
        }
      }
      initialized = 3 * pixels
    }
  }
}
