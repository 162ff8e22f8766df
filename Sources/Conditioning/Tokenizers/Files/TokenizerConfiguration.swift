import StrictJSON

/// What transformers adds to a tokenizer from `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json`.
///
/// Source: `_from_pretrained` in transformers (tokenization_utils_base.py) and `PreTrainedTokenizerFast.__init__`. The
/// last two files count only where the first has no `added_tokens_decoder`, as in checkpoints from before 2023.
struct TokenizerConfiguration: Sendable {
  /// A special token as it is written: as its text alone, or with all options.
  enum SpecialToken: Sendable {
    case text(String)
    case token(AddedToken)

    var content: String {
      switch self {
      case .text(let text): text
      case .token(let token): token.content
      }
    }
  }

  /// Whether there is a tokenizer_config.json.
  private(set) var isPresent = false
  private(set) var className: String?
  private(set) var maximumLength: Int?
  private(set) var paddingSide = TokenizerSide.right
  private(set) var truncationSide = TokenizerSide.right
  /// nil if the file does not have it or has null.
  private(set) var addsPrefixSpace: Bool?
  private(set) var namesPrefixSpace = false
  private(set) var isLegacy: Bool?
  private(set) var extraIDCount: Int?
  /// Whether Llama's tokenizer puts special tokens round the text.
  private(set) var addsBegin = true
  private(set) var addsEnd = false
  /// Tokens by id, in order.
  private var tokens: [(id: Int?, token: AddedToken)] = []
  private var special: [SpecialTokenRole: SpecialToken] = [:]
  private var additional: [SpecialToken] = []
  private var path: String

  init(_ folder: TokenizerFolder) throws(TokenizerError) {
    path = folder.path(of: "tokenizer_config.json")
    var hasDecoder = false
    if let json = try folder.json("tokenizer_config.json") {
      let object = try TokenizerObject(json, name: "configuration", path: path)
      isPresent = true
      try readOptions(object)
      try readSpecialTokens(object)
      hasDecoder = try readDecoder(object)
    }
    guard !hasDecoder else { return }
    if let json = try folder.json("special_tokens_map.json") {
      let path = folder.path(of: "special_tokens_map.json")
      try readSpecialTokens(TokenizerObject(json, name: "map of special tokens", path: path))
    }
    if let json = try folder.json("added_tokens.json") {
      let path = folder.path(of: "added_tokens.json")
      let object = try TokenizerObject(json, name: "list of added tokens", path: path)
      let contents = Set(allSpecial.map { Array($0.token.content.utf8) })
      for (content, json) in object.members {
        guard let id = json.int else { throw object.malformed(content, "a whole number") }
        tokens.append((id, AddedToken(content, isSpecial: contents.contains(Array(content.utf8)))))
      }
      tokens.sort { $0.id! < $1.id! }
    }
  }

  private mutating func readOptions(_ object: TokenizerObject) throws(TokenizerError) {
    className = try object.optionalString("tokenizer_class")
    // transformers writes 1e30 for no limit.
    if let length = object.value("model_max_length")?.int, length > 0, length < 1 << 24 { maximumLength = length }
    paddingSide = try Self.side("padding_side", object)
    truncationSide = try Self.side("truncation_side", object)
    namesPrefixSpace = object.members["add_prefix_space"] != nil
    if object.value("add_prefix_space") != nil { addsPrefixSpace = try object.bool("add_prefix_space") }
    if object.value("legacy") != nil { isLegacy = try object.bool("legacy") }
    addsBegin = try object.bool("add_bos_token", default: true)
    addsEnd = try object.bool("add_eos_token", default: false)
    if object.value("extra_ids") != nil {
      let count = try object.integer("extra_ids")
      guard (0...10_000).contains(count) else { throw object.malformed("extra_ids", "a number in 0...10000") }
      extraIDCount = count
    }
  }

  private static func side(_ key: String, _ object: TokenizerObject) throws(TokenizerError) -> TokenizerSide {
    guard let text = try object.optionalString(key) else { return .right }
    guard let side = TokenizerSide(rawValue: text) else { throw object.malformed(key, "\"left\" or \"right\"") }
    return side
  }

  private mutating func readDecoder(_ object: TokenizerObject) throws(TokenizerError) -> Bool {
    guard let json = object.value("added_tokens_decoder") else { return false }
    for (key, json) in try TokenizerObject(json, name: "added_tokens_decoder", path: path).members {
      guard let id = Int(key) else { throw object.malformed("added_tokens_decoder", "an object with ids as its keys") }
      tokens.append((id, try AddedToken(TokenizerObject(json, name: "added token", path: path))))
    }
    tokens.sort { $0.id! < $1.id! }
    return true
  }

  private mutating func readSpecialTokens(_ object: TokenizerObject) throws(TokenizerError) {
    for role in SpecialTokenRole.allCases {
      guard let json = object.value(role.rawValue) else { continue }
      special[role] = try Self.specialToken(json, role.rawValue, object)
    }
    guard object.value("additional_special_tokens") != nil else { return }
    for json in try object.array("additional_special_tokens") {
      let token = try Self.specialToken(json, "additional_special_tokens", object)
      if !additional.contains(where: { $0.content.utf8.elementsEqual(token.content.utf8) }) { additional.append(token) }
    }
  }

  private static func specialToken(
    _ json: JSONValue, _ key: String, _ object: TokenizerObject
  ) throws(TokenizerError) -> SpecialToken {
    if let text = json.string { return .text(text) }
    guard json.object != nil else { throw object.malformed(key, "a token") }
    var token = try AddedToken(TokenizerObject(json, name: "\"\(key)\"", path: object.path))
    token.isSpecial = true
    return .token(token)
  }

  /// Whether the files list added tokens by their ids.
  var hasTokenList: Bool { !tokens.isEmpty }

  /// The text of the special token for a purpose.
  func content(of role: SpecialTokenRole) -> String? { special[role]?.content }

  private var allSpecial: [(role: SpecialTokenRole?, token: SpecialToken)] {
    SpecialTokenRole.allCases.compactMap { role in special[role].map { (role, $0) } } + additional.map { (nil, $0) }
  }

  /// Adds the tokens to those of the tokenizer's own files.
  func declareTokens(in vocabulary: inout AddedVocabulary, of parts: TokenizerParts) throws(TokenizerError) {
    var special = allSpecial
    for (role, token) in parts.defaults where self.special[role] == nil { special.append((role, .token(token))) }
    special.sort { Self.place($0.role) < Self.place($1.role) }
    let specialContents = Set(special.map { Array($0.token.content.utf8) })
    let listed = Set(tokens.map(\.token))
    let listedContents = Set(tokens.map { Array($0.token.content.utf8) })
    do throws(TokenizerError.Problem) {
      for (id, token) in tokens {
        var token = token
        token.isSpecial = token.isSpecial || specialContents.contains(Array(token.content.utf8))
        let given = try vocabulary.add(token, to: parts.model)
        if let id, let given, Int(given) != id {
          throw .malformed(
            "the token \"\(token.content)\" has the id \(id), but its place in the vocabulary is \(given)")
        }
      }
      var seen: Set<[UInt8]> = []
      for (role, token) in special where seen.insert(Array(token.content.utf8)).inserted {
        switch token {
        case .token(let token):
          if !listed.contains(token) { try vocabulary.add(token, to: parts.model) }
        case .text(let content):
          guard vocabulary.id(of: content) == nil, !listedContents.contains(Array(content.utf8)) else { continue }
          let isNormalized = role.map(parts.normalizedRoles.contains) ?? false
          try vocabulary.add(AddedToken(content, isSpecial: true, isNormalized: isNormalized), to: parts.model)
        }
      }
    } catch {
      throw TokenizerError(path: path, error)
    }
  }

  private static func place(_ role: SpecialTokenRole?) -> Int {
    role.flatMap { SpecialTokenRole.allCases.firstIndex(of: $0) } ?? SpecialTokenRole.allCases.count
  }
}
