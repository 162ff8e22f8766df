/// Removes white space at the ends.
struct StripNormalizer: Normalizer {
  let left: Bool
  let right: Bool

  func normalize(_ text: [UInt8]) -> [UInt8] {
    var range = 0..<text.count
    while left, !range.isEmpty {
      let (scalar, count) = UTF8Text.scalar(in: text[...], at: range.lowerBound)
      guard scalar.properties.isWhitespace else { break }
      range = range.lowerBound + count..<range.upperBound
    }
    while right, !range.isEmpty {
      let start = UTF8Text.start(before: range.upperBound, in: text[range])
      guard UTF8Text.scalar(in: text[range], at: start).scalar.properties.isWhitespace else { break }
      range = range.lowerBound..<start
    }
    return range.count == text.count ? text : Array(text[range])
  }
}
