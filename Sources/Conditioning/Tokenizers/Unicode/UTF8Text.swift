/// Characters in UTF-8. The tokenizers work on bytes: `String` compares by canonical equivalence and counts grapheme
/// clusters, vocabularies do neither.
enum UTF8Text {
  /// The character that begins at `position`, and its number of bytes. Damaged text reads as U+FFFD, a byte at a time.
  @inline(__always)
  static func scalar(in text: ArraySlice<UInt8>, at position: Int) -> (scalar: Unicode.Scalar, count: Int) {
    let first = text[position]
    if first < 0x80 { return (Unicode.Scalar(first), 1) }
    let count = length(first: first)
    guard count > 1, position + count <= text.endIndex else { return ("\u{FFFD}", 1) }
    var value = UInt32(first) & (0x7F >> UInt32(count))
    for index in position + 1..<position + count { value = value << 6 | UInt32(text[index] & 0x3F) }
    guard let scalar = Unicode.Scalar(value) else { return ("\u{FFFD}", 1) }
    return (scalar, count)
  }

  /// The number of bytes of the character that begins with `first`.
  @inline(__always)
  static func length(first: UInt8) -> Int {
    switch first {
    case 0xC0..<0xE0: 2
    case 0xE0..<0xF0: 3
    case 0xF0..<0xF8: 4
    default: 1
    }
  }

  /// Where the character that ends before `position` begins.
  static func start(before position: Int, in text: ArraySlice<UInt8>) -> Int {
    var start = position - 1
    while start > text.startIndex, text[start] & 0xC0 == 0x80 { start -= 1 }
    return start
  }

  static func append(_ value: UInt32, to bytes: inout [UInt8]) {
    switch value {
    case 0..<0x80: bytes.append(UInt8(value))
    case 0x80..<0x800:
      bytes.append(0xC0 | UInt8(value >> 6))
      bytes.append(0x80 | UInt8(value & 0x3F))
    case 0x800..<0x10000:
      bytes.append(0xE0 | UInt8(value >> 12))
      bytes.append(0x80 | UInt8(value >> 6 & 0x3F))
      bytes.append(0x80 | UInt8(value & 0x3F))
    default:
      bytes.append(0xF0 | UInt8(value >> 18 & 0x07))
      bytes.append(0x80 | UInt8(value >> 12 & 0x3F))
      bytes.append(0x80 | UInt8(value >> 6 & 0x3F))
      bytes.append(0x80 | UInt8(value & 0x3F))
    }
  }
}
