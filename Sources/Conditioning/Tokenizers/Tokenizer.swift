/// Turns text into the token ids that a text encoder was trained on.
///
/// The ids are those of the "fast" tokenizers of Hugging Face (the Rust library `tokenizers`), which diffusers' pipelines
/// run: the text is cut at added tokens, normalized, split, looked up by the model, and special tokens are put round it.
///
/// ```swift
/// let tokenizer = try Tokenizer(folder: "FLUX.1-schnell/tokenizer")
/// let encoded = tokenizer.encode("a photo of a cat", maximumLength: 77)
/// ```
public struct Tokenizer: Sendable {
  let addedVocabulary: AddedVocabulary
  let normalizer: (any Normalizer)?
  let preTokenizer: (any PreTokenizer)?
  let model: any TokenModel
  let template: SpecialTokenTemplate
  private let paddingSide: TokenizerSide
  private let truncationSide: TokenizerSide

  /// What fills up short prompts; nil if the tokenizer has no padding token.
  public let padID: Int32?

  /// The longest prompt in tokens, special ones included, if the tokenizer's configuration has one.
  public let maximumLength: Int?

  /// Every id is below this; the embedding table of the text encoder needs at least as many rows.
  public let idLimit: Int

  /// Reads the tokenizer in `folder`: its `tokenizer.json`, else `vocab.json` and `merges.txt` of CLIP, else
  /// `spiece.model` of T5; with `tokenizer_config.json`, `special_tokens_map.json` and `added_tokens.json` where they are.
  public init(folder: String) throws(TokenizerError) {
    let folder = TokenizerFolder(folder)
    let configuration = try TokenizerConfiguration(folder)
    let parts: TokenizerParts
    if let file = try TokenizerFile(folder) {
      parts = try file.parts(configuration)
    } else if let files = try CLIPFiles(folder) {
      parts = try files.parts(configuration)
    } else if let file = try SentencePieceFile(folder) {
      parts = try file.parts(configuration)
    } else {
      throw TokenizerError(
        path: folder.path,
        .malformed("holds no tokenizer; expected tokenizer.json, vocab.json with merges.txt, or spiece.model"))
    }
    try self.init(parts, configuration)
  }

  init(_ parts: TokenizerParts, _ configuration: TokenizerConfiguration) throws(TokenizerError) {
    var vocabulary = parts.addedVocabulary
    try configuration.declareTokens(in: &vocabulary, of: parts)
    vocabulary.prepare(normalizer: parts.normalizer)
    addedVocabulary = vocabulary
    normalizer = parts.normalizer
    preTokenizer = parts.preTokenizer
    model = parts.model
    template = parts.template
    paddingSide = configuration.paddingSide
    truncationSide = configuration.truncationSide
    maximumLength = configuration.maximumLength
    idLimit = Int(max(parts.model.maximumID, vocabulary.maximumID ?? 0)) + 1
    let padToken = configuration.content(of: .pad) ?? parts.defaults[.pad]?.content
    padID = padToken.flatMap { vocabulary.id(of: $0) ?? parts.model.id(of: $0) }
    for id in template.ids where id < 0 || Int(id) >= idLimit {
      throw TokenizerError(path: parts.path, .idOutOfRange(Int(id), token: "of the post-processor"))
    }
  }

  /// The id of one token of the vocabulary, such as `<|endoftext|>`; nil if there is no such token.
  public func id(of token: String) -> Int32? { addedVocabulary.id(of: token) ?? model.id(of: token) }

  /// The ids of the whole text with the special tokens round it, neither cut nor padded.
  public func encode(_ text: String) -> [Int32] { template.before + contentIDs(text) + template.behind }

  /// The same, cut to at most `maximumLength` ids and padded if `padding` says so.
  ///
  /// The special tokens stay: a cut prompt still ends with its end token. Only if `maximumLength` is too small even for
  /// them, they are cut as well.
  public func encode(_ text: String, maximumLength: Int, padding: TokenizerPadding = .toMaximumLength) -> EncodedText {
    let maximumLength = max(0, maximumLength)
    let content = contentIDs(text)
    let room = max(0, maximumLength - template.before.count - template.behind.count)
    let kept = truncationSide == .right ? content.prefix(room) : content.suffix(room)
    let ids = Array((template.before + kept + template.behind).prefix(maximumLength))
    let cutCount = content.count - kept.count
    let paddingCount = padding == .toMaximumLength && padID != nil ? maximumLength - ids.count : 0
    guard paddingCount > 0, let padID else {
      return EncodedText(ids: ids, tokens: 0..<ids.count, cutCount: cutCount)
    }
    let fill = [Int32](repeating: padID, count: paddingCount)
    switch paddingSide {
    case .right: return EncodedText(ids: ids + fill, tokens: 0..<ids.count, cutCount: cutCount)
    case .left: return EncodedText(ids: fill + ids, tokens: paddingCount..<maximumLength, cutCount: cutCount)
    }
  }

  /// The ids of the text without special tokens round it.
  private func contentIDs(_ text: String) -> [Int32] {
    var ids: [Int32] = []
    for part in addedVocabulary.split(Array(text.utf8), normalizer: normalizer) {
      switch part {
      case .token(let id): ids.append(id)
      case .text(let piece):
        guard let preTokenizer else {
          model.tokenize(piece.bytes, into: &ids)
          continue
        }
        for piece in preTokenizer.split(piece) { model.tokenize(piece.bytes, into: &ids) }
      }
    }
    return ids
  }
}
