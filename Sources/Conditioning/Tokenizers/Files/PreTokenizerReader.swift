import StrictJSON

/// Reads the `pre_tokenizer` of a tokenizer.json.
struct PreTokenizerReader {
  private var count = 0

  mutating func preTokenizer(_ object: TokenizerObject) throws(TokenizerError) -> any PreTokenizer {
    let preTokenizer = try component(object)
    guard preTokenizer.growth <= NormalizerReader.maximumGrowth else {
      throw object.failure(
        .malformed("the pre-tokenizer could make a text more than \(NormalizerReader.maximumGrowth) times longer"))
    }
    return preTokenizer
  }

  private mutating func component(_ object: TokenizerObject) throws(TokenizerError) -> any PreTokenizer {
    count += 1
    guard count <= NormalizerReader.maximumCount else {
      throw object.failure(.malformed("has more than \(NormalizerReader.maximumCount) pre-tokenizers"))
    }
    switch try object.type {
    case "Whitespace": return SplitPreTokenizer(pattern: WordOrSymbolsPattern(), behavior: .removed, isInverted: true)
    case "WhitespaceSplit": return SplitPreTokenizer(pattern: ScalarPattern.whiteSpace, behavior: .removed)
    case "Digits":
      let single = try object.bool("individual_digits", default: false)
      return SplitPreTokenizer(pattern: ScalarPattern.number, behavior: single ? .isolated : .contiguous)
    case "Punctuation":
      return SplitPreTokenizer(pattern: ScalarPattern.punctuation, behavior: try behavior(object, default: .isolated))
    case "Split":
      return SplitPreTokenizer(
        pattern: try PatternReader.pattern(object), behavior: try behavior(object, default: nil),
        isInverted: try object.bool("invert", default: false))
    case "ByteLevel":
      return ByteLevelPreTokenizer(
        addsPrefixSpace: try object.bool("add_prefix_space"),
        pattern: try object.bool("use_regex", default: true) ? WordPattern.gpt2 : nil)
    case "Metaspace": return try metaspace(object)
    case "Sequence":
      var preTokenizers: [any PreTokenizer] = []
      for json in try object.array("pretokenizers") {
        preTokenizers.append(try component(TokenizerObject(json, name: "pre-tokenizer", path: object.path)))
      }
      return PreTokenizerSequence(preTokenizers: preTokenizers)
    default: throw try object.unknownType
    }
  }

  private func behavior(_ object: TokenizerObject, default fallback: SplitBehavior?) throws(TokenizerError)
    -> SplitBehavior
  {
    if let fallback, object.value("behavior") == nil { return fallback }
    let text = try object.string("behavior")
    guard let behavior = SplitBehavior(rawValue: text) else {
      throw object.failure(.unsupported("the behavior \"\(text)\" of the \(object.name)"))
    }
    return behavior
  }

  /// Files from before 2024 have `add_prefix_space` in the place of `prepend_scheme`.
  private func metaspace(_ object: TokenizerObject) throws(TokenizerError) -> MetaspacePreTokenizer {
    let adds = try object.bool("add_prefix_space", default: true)
    var prepending = adds ? MetaspacePreTokenizer.Prepending.always : .never
    if let text = try object.optionalString("prepend_scheme") {
      guard let scheme = MetaspacePreTokenizer.Prepending(rawValue: text) else {
        throw object.malformed("prepend_scheme", "\"always\", \"first\" or \"never\"")
      }
      guard adds || scheme == .never else {
        throw object.failure(.malformed("\(object.describe("prepend_scheme")) contradicts \"add_prefix_space\""))
      }
      prepending = scheme
    }
    return MetaspacePreTokenizer(
      replacement: try object.character("replacement"), prepending: prepending,
      splits: try object.bool("split", default: true))
  }
}
