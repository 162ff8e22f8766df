import StrictJSON

/// A `tokenizer.json`, the format of the Rust library `tokenizers`.
struct TokenizerFile {
  private let object: TokenizerObject

  /// nil if the folder has no such file.
  init?(_ folder: TokenizerFolder) throws(TokenizerError) {
    guard let json = try folder.json("tokenizer.json") else { return nil }
    object = try TokenizerObject(json, name: "document", path: folder.path(of: "tokenizer.json"))
  }

  func parts(_ configuration: TokenizerConfiguration) throws(TokenizerError) -> TokenizerParts {
    let model = try ModelReader.model(component("model", "model"))
    var parts = TokenizerParts(path: object.path, model: model)
    try addTokens(to: &parts.addedVocabulary, model)
    if object.value("normalizer") != nil {
      var reader = NormalizerReader()
      parts.normalizer = try reader.normalizer(component("normalizer", "normalizer"))
    }
    if object.value("pre_tokenizer") != nil {
      var reader = PreTokenizerReader()
      parts.preTokenizer = try reader.preTokenizer(component("pre_tokenizer", "pre-tokenizer"))
    }
    if object.value("post_processor") != nil {
      parts.template = try PostProcessorReader.template(component("post_processor", "post-processor"))
    }
    // `PreTrainedTokenizerFast.__init__` overrides this option of the file, if the pre-tokenizer is no sequence.
    if var byteLevel = parts.preTokenizer as? ByteLevelPreTokenizer {
      if let adds = configuration.addsPrefixSpace {
        byteLevel.addsPrefixSpace = adds
      } else if configuration.isPresent, !configuration.namesPrefixSpace {
        byteLevel.addsPrefixSpace = false
      }
      parts.preTokenizer = byteLevel
    }
    parts.defaults = try defaults(configuration)
    try replaceLlamaTemplate(in: &parts, configuration)
    return parts
  }

  /// `LlamaTokenizerFast.update_post_processor` puts a template of its own in the place of the file's.
  private func replaceLlamaTemplate(
    in parts: inout TokenizerParts, _ configuration: TokenizerConfiguration
  ) throws(TokenizerError) {
    guard configuration.className == "LlamaTokenizer" || configuration.className == "LlamaTokenizerFast" else { return }
    func id(_ role: SpecialTokenRole, _ fallback: String) throws(TokenizerError) -> Int32 {
      let token = configuration.content(of: role) ?? fallback
      guard let id = parts.addedVocabulary.id(of: token) ?? parts.model.id(of: token) else {
        throw object.failure(.missingToken(token, neededFor: "\"\(role.rawValue)\""))
      }
      return id
    }
    parts.template = SpecialTokenTemplate()
    if configuration.addsBegin { parts.template.before = [try id(.begin, "<s>")] }
    if configuration.addsEnd { parts.template.behind = [try id(.end, "</s>")] }
  }

  private func component(_ key: String, _ name: String) throws(TokenizerError) -> TokenizerObject {
    try TokenizerObject(object.required(key, "an object"), name: name, path: object.path)
  }

  private func addTokens(to vocabulary: inout AddedVocabulary, _ model: any TokenModel) throws(TokenizerError) {
    guard object.value("added_tokens") != nil else { return }
    let list = try object.array("added_tokens")
    guard list.count <= Vocabulary.maximumCount else {
      throw object.failure(.malformed("has more than \(Vocabulary.maximumCount) added tokens"))
    }
    for json in list {
      let token = try TokenizerObject(json, name: "added token", path: object.path)
      let id = try token.integer("id")
      let added = try AddedToken(token)
      guard let given = try token.naming({ () throws(TokenizerError.Problem) in try vocabulary.add(added, to: model) })
      else { continue }
      // `tokenizers` warns of this and uses the place; such a file is not the one that the model was trained with.
      guard Int(given) == id else {
        throw object.failure(
          .malformed(
            "the added token \"\(added.content)\" has the id \(id), but its place in the vocabulary is \(given)"))
      }
    }
  }

  private func defaults(
    _ configuration: TokenizerConfiguration
  ) throws(TokenizerError) -> [SpecialTokenRole: AddedToken] {
    switch configuration.className {
    case "CLIPTokenizer", "CLIPTokenizerFast": return ClassDefaults.clip
    case "T5Tokenizer", "T5TokenizerFast": return ClassDefaults.t5
    default: break
    }
    guard object.value("padding") != nil else { return [:] }
    let padding = try component("padding", "padding")
    guard let token = try padding.optionalString("pad_token") else { return [:] }
    return [.pad: AddedToken(token, isSpecial: true)]
  }
}
