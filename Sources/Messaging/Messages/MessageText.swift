/// Names that come from configurations and from the wire.
enum MessageText {
  static let nameBytes = 64
  static let buildBytes = 64
  static let addressBytes = 128
  static let explanationBytes = 1024

  /// 1 to 64 letters, digits, dots, minus signs and underscores of ASCII, the first of them a letter or digit: fit for a
  /// file name, a log line and a column of the allow-list.
  static func isName(_ text: some StringProtocol) -> Bool {
    guard (1...nameBytes).contains(text.utf8.count), let first = text.utf8.first, isLetterOrDigit(first) else {
      return false
    }
    return text.utf8.allSatisfy { isLetterOrDigit($0) || $0 == 0x2D || $0 == 0x2E || $0 == 0x5F }
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: true
    default: false
    }
  }

  /// The longest beginning of `text` that has at most `limit` bytes and ends between two characters.
  static func cut(_ text: String, to limit: Int) -> String {
    guard text.utf8.count > limit else { return text }
    var result = ""
    var count = 0
    for character in text {
      count += character.utf8.count
      guard count <= limit else { break }
      result.append(character)
    }
    return result
  }
}
