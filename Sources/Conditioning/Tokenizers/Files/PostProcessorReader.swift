import StrictJSON

/// Reads the `post_processor` of a tokenizer.json, as far as it concerns single texts.
enum PostProcessorReader {
  private static let maximumTokenCount = 64

  static func template(_ object: TokenizerObject) throws(TokenizerError) -> SpecialTokenTemplate {
    let template = try component(object)
    guard template.ids.count <= maximumTokenCount else {
      throw object.failure(.malformed("the post-processor adds more than \(maximumTokenCount) tokens"))
    }
    return template
  }

  private static func component(_ object: TokenizerObject) throws(TokenizerError) -> SpecialTokenTemplate {
    switch try object.type {
    // Changes offsets only.
    case "ByteLevel": return SpecialTokenTemplate()
    case "RobertaProcessing", "BertProcessing":
      return SpecialTokenTemplate(before: [try pairID("cls", object)], behind: [try pairID("sep", object)])
    case "TemplateProcessing": return try templateProcessing(object)
    case "Sequence":
      var template = SpecialTokenTemplate()
      for json in try object.array("processors") {
        template = template.inside(try component(TokenizerObject(json, name: object.name, path: object.path)))
      }
      return template
    default: throw try object.unknownType
    }
  }

  /// The id of a token that is written as `["</s>", 2]`.
  private static func pairID(_ key: String, _ object: TokenizerObject) throws(TokenizerError) -> Int32 {
    guard let pair = try object.array(key) as [JSONValue]?, pair.count == 2, let id = pair[1].int else {
      throw object.malformed(key, "a token and its id")
    }
    return try checked(id, pair[0].string ?? key, object)
  }

  private static func checked(_ id: Int, _ token: String, _ object: TokenizerObject) throws(TokenizerError) -> Int32 {
    guard id >= 0, id <= Int(Vocabulary.maximumID) else { throw object.failure(.idOutOfRange(id, token: token)) }
    return Int32(id)
  }

  private static func templateProcessing(_ object: TokenizerObject) throws(TokenizerError) -> SpecialTokenTemplate {
    let tokens = try TokenizerObject(
      object.required("special_tokens", "an object"), name: "special tokens of the \(object.name)", path: object.path)
    var template = SpecialTokenTemplate()
    var hasText = false
    for json in try object.array("single") {
      if json["Sequence"] != nil {
        guard !hasText, json["Sequence"]?["id"]?.string == "A" else {
          throw object.malformed("single", "a template with the text \"A\" once")
        }
        hasText = true
        continue
      }
      guard let name = json["SpecialToken"]?["id"]?.string else {
        throw object.malformed("single", "a list of texts and special tokens")
      }
      let token = try TokenizerObject(
        tokens.required(name, "an object"), name: "special token of the \(object.name)", path: object.path)
      for json in try token.array("ids") {
        guard let id = json.int else { throw token.malformed("ids", "a list of whole numbers") }
        let checked = try checked(id, name, object)
        if hasText { template.behind.append(checked) } else { template.before.append(checked) }
      }
      guard template.ids.count <= maximumTokenCount else { break }
    }
    guard hasText || template.ids.count > maximumTokenCount else {
      throw object.malformed("single", "a template with the text \"A\" once")
    }
    return template
  }
}
