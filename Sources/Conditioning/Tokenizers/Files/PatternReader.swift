import StrictJSON

/// Reads the patterns of `Replace` and `Split`.
enum PatternReader {
  /// The regular expressions that are known, by their text. Brackets round a single class mean nothing.
  private static let known: [String: any SplitPattern] = [
    #"\s+"#: WhiteSpacePattern(),
    #"\s"#: ScalarPattern.whiteSpace,
    #" "#: LiteralPattern(literal: [0x20]),
    #"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"#: WordPattern.clip,
    #"'s|'t|'re|'ve|'m|'ll|'d|\p{L}+|\p{N}|[^\s\p{L}\p{N}]+"#: WordPattern.clip,
    #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#: WordPattern.gpt2,
    #"'(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#: WordPattern.gpt2,
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#:
      WordPattern.llama3,
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#:
      WordPattern.qwen2,
  ]

  static func pattern(_ object: TokenizerObject) throws(TokenizerError) -> any SplitPattern {
    let json = try object.required("pattern", "an object")
    let pattern = try TokenizerObject(json, name: "pattern of the \(object.name)", path: object.path)
    if pattern.value("String") != nil {
      let literal = try pattern.shortText("String")
      guard !literal.isEmpty else { throw pattern.malformed("String", "a text with characters") }
      return LiteralPattern(literal: literal)
    }
    let expression = try pattern.string("Regex")
    if let pattern = known[expression] { return pattern }
    if let pattern = spaces(expression) { return pattern }
    throw object.failure(.unsupported("the regular expression \"\(expression)\" of the \(object.name)"))
  }

  /// ` {2,}` and the like, with one digit.
  private static func spaces(_ expression: String) -> SpacesPattern? {
    let bytes = Array(expression.utf8)
    guard bytes.count == 5, bytes.starts(with: " {".utf8), bytes[3...].elementsEqual(",}".utf8),
      (0x31...0x39).contains(bytes[2])
    else { return nil }
    return SpacesPattern(minimum: Int(bytes[2] - 0x30))
  }
}
