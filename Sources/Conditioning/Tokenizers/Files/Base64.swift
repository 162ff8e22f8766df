/// Base64 of RFC 4648, section 4, with padding.
enum Base64 {
  /// nil if the text is not valid.
  static func decode(_ text: String) -> [UInt8]? {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.utf8.count / 4 * 3)
    guard text.utf8.count % 4 == 0 else { return nil }
    var group: UInt32 = 0
    var digitCount = 0
    var paddingCount = 0
    for byte in text.utf8 {
      let digit: UInt8
      switch byte {
      case UInt8(ascii: "A")...UInt8(ascii: "Z"): digit = byte - 0x41
      case UInt8(ascii: "a")...UInt8(ascii: "z"): digit = byte - 0x61 + 26
      case UInt8(ascii: "0")...UInt8(ascii: "9"): digit = byte - 0x30 + 52
      case UInt8(ascii: "+"): digit = 62
      case UInt8(ascii: "/"): digit = 63
      case UInt8(ascii: "="):
        paddingCount += 1
        digit = 0
      default: return nil
      }
      if paddingCount > 0, byte != UInt8(ascii: "=") { return nil }
      group = group << 6 | UInt32(digit)
      digitCount += 1
      if digitCount % 4 == 0 {
        bytes.append(UInt8(group >> 16 & 0xFF))
        bytes.append(UInt8(group >> 8 & 0xFF))
        bytes.append(UInt8(group & 0xFF))
        group = 0
      }
    }
    guard paddingCount <= 2 else { return nil }
    bytes.removeLast(paddingCount)
    return bytes
  }
}
