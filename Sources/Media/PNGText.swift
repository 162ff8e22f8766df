/// A text entry of a PNG, such as `parameters` with the settings of A1111 and its kin.
public struct PNGText: Sendable, Equatable {
  /// 1 to 79 printable Latin-1 characters without leading, trailing or double spaces
  /// (PNG third edition, section 11.3.3.1).
  public var key: String
  public var text: String

  public init(key: String, text: String) {
    self.key = key
    self.text = text
  }

  /// The chunk of this entry: tEXt when all of it is printable Latin-1, otherwise iTXt in UTF-8, uncompressed.
  func chunk(limits: PNGLimits = PNGLimits()) throws(MediaError) -> [UInt8] {
    guard PNGText.isKey(key.unicodeScalars), let keyBytes = PNGText.latin1(key) else {
      throw .unsuitableText("\"\(key)\" cannot be the key of a text in a PNG")
    }
    guard !text.utf8.contains(0) else { throw .unsuitableText("The text \"\(key)\" holds a zero byte") }
    let data: [UInt8]
    let type: String
    if let latin1 = PNGText.latin1(text), !PNGText.looksLikeUTF8(latin1) {
      type = "tEXt"
      data = keyBytes + [0] + latin1
    } else {
      type = "iTXt"
      // Key, not compressed by method 0, no language, no translated key (section 11.3.3.4).
      data = keyBytes + [0, 0, 0, 0, 0] + Array(text.utf8)
    }
    guard data.count <= limits.maximumTextBytes else {
      throw .unsuitableText("The text \"\(key)\" of \(data.count) bytes is longer than \(limits.maximumTextBytes)")
    }
    return PNGChunk.bytes(type: type, data: data)
  }

  /// The entry of a tEXt or uncompressed iTXt chunk; nil for other chunks and for compressed text, which is skipped.
  init?(_ chunk: PNGChunk, limits: PNGLimits) throws(MediaError) {
    guard chunk.type == "tEXt" || chunk.type == "iTXt" else { return nil }
    guard chunk.data.count <= limits.maximumTextBytes else {
      throw .unreadablePNG("a text of \(chunk.data.count) bytes is longer than \(limits.maximumTextBytes)")
    }
    guard let keyEnd = chunk.data.firstIndex(of: 0) else { throw .unreadablePNG("a text has no key") }
    let key = PNGText.text(latin1: chunk.data[..<keyEnd])
    guard PNGText.isKey(key.unicodeScalars) else { throw .unreadablePNG("the key of a text is not valid") }
    let rest = chunk.data[(keyEnd + 1)...]
    if chunk.type == "tEXt" {
      self.init(key: key, text: try PNGText.text(inTEXt: rest, key: key))
    } else {
      guard let text = try PNGText.text(inITXt: rest, key: key) else { return nil }
      self.init(key: key, text: text)
    }
  }

  /// Latin-1 by the standard. Some programs, stable-diffusion.cpp among them, put UTF-8 into tEXt all the same, so text
  /// beyond ASCII that is valid UTF-8 is taken for that; `chunk` writes such Latin-1 as iTXt, and nothing of ours is
  /// ever misread.
  private static func text(inTEXt bytes: ArraySlice<UInt8>, key: String) throws(MediaError) -> String {
    guard !bytes.contains(0) else { throw .unreadablePNG("the text \"\(key)\" holds a zero byte") }
    if looksLikeUTF8(bytes), let text = String(validating: bytes, as: UTF8.self) { return text }
    return text(latin1: bytes)
  }

  private static func text(inITXt bytes: ArraySlice<UInt8>, key: String) throws(MediaError) -> String? {
    guard bytes.count >= 2 else { throw .unreadablePNG("the text \"\(key)\" ends too early") }
    let compression = bytes[bytes.startIndex]
    guard compression <= 1 else { throw .unreadablePNG("the text \"\(key)\" is compressed in an unknown way") }
    let afterFlags = bytes.dropFirst(2)
    guard let languageEnd = afterFlags.firstIndex(of: 0),
      let translationEnd = afterFlags[(languageEnd + 1)...].firstIndex(of: 0)
    else { throw .unreadablePNG("the text \"\(key)\" ends too early") }
    guard compression == 0 else { return nil }
    let utf8 = afterFlags[(translationEnd + 1)...]
    guard let text = String(validating: utf8, as: UTF8.self), !utf8.contains(0) else {
      throw .unreadablePNG("the text \"\(key)\" is not valid UTF-8")
    }
    return text
  }

  private static func isKey(_ scalars: String.UnicodeScalarView) -> Bool {
    guard (1...79).contains(scalars.count), scalars.first != " ", scalars.last != " " else { return false }
    var previous: Unicode.Scalar = "x"
    for scalar in scalars {
      guard (0x20...0x7E).contains(scalar.value) || (0xA1...0xFF).contains(scalar.value) else { return false }
      guard !(scalar == " " && previous == " ") else { return false }
      previous = scalar
    }
    return true
  }

  /// The Latin-1 bytes of printable text and line feeds, which is what tEXt is meant for; nil for any other text.
  private static func latin1(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count)
    for scalar in text.unicodeScalars {
      guard scalar == "\n" || !scalar.isControl, scalar.value <= 0xFF else { return nil }
      bytes.append(UInt8(scalar.value))
    }
    return bytes
  }

  private static func text(latin1 bytes: some Sequence<UInt8>) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: bytes.lazy.map { Unicode.Scalar($0) })
    return String(text)
  }

  private static func looksLikeUTF8(_ bytes: some Collection<UInt8>) -> Bool {
    bytes.contains { $0 >= 0x80 } && String(validating: bytes, as: UTF8.self) != nil
  }
}
