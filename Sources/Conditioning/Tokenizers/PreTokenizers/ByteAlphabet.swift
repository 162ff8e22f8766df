/// The characters that stand for bytes in byte-level vocabularies.
///
/// Source: `bytes_to_unicode` of GPT-2 (encoder.py): printable characters of Latin-1 stand for themselves, the other
/// bytes are U+0100 and on.
enum ByteAlphabet {
  /// Of each byte, the UTF-8 of its character.
  static let characters: [[UInt8]] = {
    var next: UInt32 = 0x100
    return (0..<UInt32(256)).map { byte in
      var bytes: [UInt8] = []
      switch byte {
      case 0x21...0x7E, 0xA1...0xAC, 0xAE...0xFF: UTF8Text.append(byte, to: &bytes)
      default:
        UTF8Text.append(next, to: &bytes)
        next += 1
      }
      return bytes
    }
  }()

  static func encode(_ text: some Sequence<UInt8>) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(2 * text.underestimatedCount)
    for byte in text { bytes.append(contentsOf: characters[Int(byte)]) }
    return bytes
  }

  /// The token of a byte in vocabularies of SentencePiece: `<0x0A>`.
  static func fallbackToken(_ byte: UInt8) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return "<0x\(digits.count == 1 ? "0" : "")\(digits)>"
  }
}
