/// `\w+|[^\w\s]+`, the pattern of `Whitespace`.
struct WordOrSymbolsPattern: SplitPattern {
  func matchEnd(in text: ArraySlice<UInt8>, at position: Int) -> Int? {
    var end = position
    var wantsWord: Bool?
    while end < text.endIndex {
      let (scalar, count) = UTF8Text.scalar(in: text, at: end)
      let isWord = scalar.isWordCharacter
      guard wantsWord.map({ $0 == isWord }) ?? true, isWord || !scalar.properties.isWhitespace else { break }
      wantsWord = isWord
      end += count
    }
    return end > position ? end : nil
  }
}
