/// T5's tokenizer as `spiece.model`.
///
/// Source: `T5Converter` and `SpmConverter` in transformers (convert_slow_tokenizer.py).
struct SentencePieceFile {
  private let bytes: [UInt8]
  private let path: String

  /// U+2581, which stands for a space.
  static let metaspace: [UInt8] = [0xE2, 0x96, 0x81]

  /// nil if the folder has no such file.
  init?(_ folder: TokenizerFolder) throws(TokenizerError) {
    guard let bytes = try folder.bytes("spiece.model") else { return nil }
    self.bytes = bytes
    path = folder.path(of: "spiece.model")
  }

  func parts(_ configuration: TokenizerConfiguration) throws(TokenizerError) -> TokenizerParts {
    do throws(TokenizerError.Problem) {
      if let name = configuration.className, name != "T5Tokenizer", name != "T5TokenizerFast" {
        throw .unsupported("a spiece.model of the class \"\(name)\"")
      }
      return try parts(SentencePieceModel(bytes), configuration)
    } catch {
      throw TokenizerError(path: path, error)
    }
  }

  private func parts(
    _ file: SentencePieceModel, _ configuration: TokenizerConfiguration
  ) throws(TokenizerError.Problem) -> TokenizerParts {
    guard file.modelType == 1 else {
      throw .unsupported("a SentencePiece model of type \(file.modelType), not Unigram")
    }
    let extraCount = configuration.extraIDCount ?? 100
    let extraTokens = (0..<extraCount).map { "<extra_id_\($0)>" }
    let model = try UnigramModel(
      file.pieces.map { ($0.text, Double($0.score)) } + extraTokens.reversed().map { (Array($0.utf8), 0) },
      unknownID: file.unknownID)
    var added = AddedVocabulary()
    for piece in file.pieces
    where piece.kind == SentencePieceModel.Piece.control || piece.kind == SentencePieceModel.Piece.userDefined {
      let isSpecial = piece.kind == SentencePieceModel.Piece.control
      try added.add(
        AddedToken(String(decoding: piece.text, as: UTF8.self), isSpecial: isSpecial, isNormalized: false), to: model)
    }
    if !configuration.hasTokenList {
      for token in extraTokens { try added.add(AddedToken(token, isSpecial: true), to: model) }
    }
    let end = configuration.content(of: .end) ?? "</s>"
    guard let endID = model.id(of: "</s>") ?? model.id(of: end) else {
      throw .missingToken("</s>", neededFor: "the end of the text")
    }
    var normalizers: [any Normalizer] =
      file.characterTable.isEmpty ? [] : [try PrecompiledNormalizer(table: file.characterTable)]
    normalizers += [
      StripNormalizer(left: false, right: true),
      ReplaceNormalizer(pattern: SpacesPattern(minimum: 2), replacement: Self.metaspace),
    ]
    // `_get_prepend_scheme`: what is not named is true.
    let prepending: MetaspacePreTokenizer.Prepending =
      configuration.addsPrefixSpace == false ? .never : configuration.isLegacy == false ? .first : .always
    return TokenizerParts(
      path: path, addedVocabulary: added, normalizer: NormalizerSequence(normalizers: normalizers),
      preTokenizer: MetaspacePreTokenizer(replacement: Self.metaspace, prepending: prepending), model: model,
      template: SpecialTokenTemplate(behind: [endID]), defaults: ClassDefaults.t5)
  }
}
