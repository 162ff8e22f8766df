/// Puts other text in the place of each match of a pattern.
struct ReplaceNormalizer: Normalizer {
  let pattern: any SplitPattern
  let replacement: [UInt8]

  func normalize(_ text: [UInt8]) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var position = 0
    while position < text.count {
      if let end = pattern.matchEnd(in: text[...], at: position) {
        bytes.append(contentsOf: replacement)
        position = end
      } else {
        let count = min(UTF8Text.length(first: text[position]), text.count - position)
        bytes.append(contentsOf: text[position..<position + count])
        position += count
      }
    }
    return bytes
  }

  var growth: Int { max(1, replacement.count) }
}
