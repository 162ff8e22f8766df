/// Lower-cases each character for itself, as Rust's `char::to_lowercase` does: İ becomes i and U+0307, Σ always σ.
struct LowercaseNormalizer: Normalizer {
  func normalize(_ text: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var position = 0
    while position < text.count {
      let byte = text[position]
      if byte < 0x80 {
        bytes.append(byte >= 0x41 && byte <= 0x5A ? byte | 0x20 : byte)
        position += 1
      } else {
        let (scalar, count) = UTF8Text.scalar(in: text[...], at: position)
        bytes.append(contentsOf: scalar.properties.lowercaseMapping.utf8)
        position += count
      }
    }
    return bytes
  }

  var growth: Int { 2 }
}
