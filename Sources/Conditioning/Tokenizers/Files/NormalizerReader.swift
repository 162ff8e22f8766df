import StrictJSON

/// Reads the `normalizer` of a tokenizer.json.
struct NormalizerReader {
  private var count = 0

  /// A text can become that many times longer at most: sequences of replacements could make it grow without end.
  static let maximumGrowth = 4096
  /// Real files have at most six.
  static let maximumCount = 64

  mutating func normalizer(_ object: TokenizerObject) throws(TokenizerError) -> any Normalizer {
    let normalizer = try component(object)
    guard normalizer.growth <= Self.maximumGrowth else {
      throw object.failure(.malformed("the normalizer could make a text more than \(Self.maximumGrowth) times longer"))
    }
    return normalizer
  }

  private mutating func component(_ object: TokenizerObject) throws(TokenizerError) -> any Normalizer {
    count += 1
    guard count <= Self.maximumCount else {
      throw object.failure(.malformed("has more than \(Self.maximumCount) normalizers"))
    }
    let type = try object.type
    if let form = NormalizationForm(rawValue: type) { return form }
    switch type {
    case "Lowercase": return LowercaseNormalizer()
    case "StripAccents": return StripAccentsNormalizer()
    case "Strip":
      return StripNormalizer(left: try object.bool("strip_left"), right: try object.bool("strip_right"))
    case "Prepend": return PrependNormalizer(prefix: try object.shortText("prepend"))
    case "Replace":
      return ReplaceNormalizer(pattern: try PatternReader.pattern(object), replacement: try object.shortText("content"))
    case "Precompiled":
      guard let table = Base64.decode(try object.string("precompiled_charsmap")) else {
        throw object.malformed("precompiled_charsmap", "valid base64")
      }
      return try object.naming { () throws(TokenizerError.Problem) in try PrecompiledNormalizer(table: table) }
    case "Sequence":
      var normalizers: [any Normalizer] = []
      for json in try object.array("normalizers") {
        normalizers.append(try component(TokenizerObject(json, name: "normalizer", path: object.path)))
      }
      return NormalizerSequence(normalizers: normalizers)
    default: throw try object.unknownType
    }
  }
}
