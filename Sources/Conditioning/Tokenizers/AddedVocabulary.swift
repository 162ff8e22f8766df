/// The added tokens of a tokenizer and how they cut a text.
///
/// Source: `AddedVocabulary` in tokenizers (src/tokenizer/added_vocabulary.rs). Tokens that are not normalized are cut
/// out of the raw text, the others out of the normalized text between those. Of several that match, the leftmost counts,
/// then the longest.
struct AddedVocabulary: Sendable {
  private var specialTokens: [AddedToken] = []
  private var otherTokens: [AddedToken] = []
  private var specialContents: Set<[UInt8]> = []
  private var ids: [[UInt8]: Int32] = [:]
  /// Of the id, the declaration that was made last: it rules over white space and word boundaries.
  private var latest: [Int32: AddedToken] = [:]
  private var raw = ByteTrie([])
  private var normalized = ByteTrie([])

  private(set) var maximumID: Int32?

  /// Adds a token, or declares it anew, and returns its id: that of the model, if it is in its vocabulary, else the next
  /// free one. The first declaration of a content decides whether it is normalized.
  @discardableResult
  mutating func add(_ token: AddedToken, to model: any TokenModel) throws(TokenizerError.Problem) -> Int32? {
    let key = Array(token.content.utf8)
    guard !key.isEmpty else { return nil }
    let id = ids[key] ?? model.id(of: token.content) ?? max(Int32(model.tokenCount), (maximumID ?? -1) + 1)
    if latest[id] == token { return id }
    try Vocabulary.check(key, id: Int(id))
    if token.isSpecial, specialContents.insert(key).inserted { specialTokens.append(token) }
    if !specialContents.contains(key) { otherTokens.append(token) }
    ids[key] = id
    latest[id] = token
    maximumID = max(maximumID ?? 0, id)
    return id
  }

  func id(of content: String) -> Int32? { ids[Array(content.utf8)] }

  /// Makes the tokens findable; to be called after the last ``add(_:to:)``.
  mutating func prepare(normalizer: (any Normalizer)?) {
    var rawEntries: [(key: [UInt8], id: Int32)] = []
    var normalizedEntries: [(key: [UInt8], id: Int32)] = []
    // Of equal keys the first counts here, but the last in a trie.
    for token in (specialTokens + otherTokens).reversed() {
      let key = Array(token.content.utf8)
      guard let id = ids[key] else { continue }
      if token.isNormalized {
        normalizedEntries.append((normalizer?.normalize(key) ?? key, id))
      } else {
        rawEntries.append((key, id))
      }
    }
    raw = ByteTrie(rawEntries)
    normalized = ByteTrie(normalizedEntries)
  }

  /// A stretch of text between added tokens, or one of these.
  enum Part {
    case text(TextPiece)
    case token(Int32)
  }

  /// The normalized text between the added tokens, and those tokens.
  func split(_ text: [UInt8], normalizer: (any Normalizer)?) -> [Part] {
    var parts: [Part] = []
    for part in split(text[...], by: raw) {
      switch part {
      case .token: parts.append(part)
      case .text(let piece):
        let bytes = normalizer?.normalize(Array(piece.bytes)) ?? Array(piece.bytes)
        for part in split(bytes[...], by: normalized) {
          switch part {
          case .token: parts.append(part)
          case .text(let inner):
            parts.append(.text(TextPiece(inner.bytes, isAtStart: inner.isAtStart && piece.isAtStart)))
          }
        }
      }
    }
    return parts
  }

  private func split(_ text: ArraySlice<UInt8>, by trie: ByteTrie) -> [Part] {
    var parts: [Part] = []
    /// Where the part behind the last token begins.
    var begin = text.startIndex
    var position = text.startIndex
    func appendText(upTo end: Int) {
      guard begin < end else { return }
      parts.append(.text(TextPiece(text[begin..<end], isAtStart: begin == text.startIndex)))
    }
    while position < text.endIndex {
      var match: (id: Int32, end: Int)?
      trie.forEachPrefix(of: text, at: position) { id, end in match = (id, end) }
      guard let match, let token = latest[match.id] else {
        position += 1
        continue
      }
      var start = position
      var end = match.end
      position = match.end
      if token.isSingleWord, !isSingleWord(text, start..<end) { continue }
      if token.stripsLeft {
        while start > begin, isSpace(text, at: UTF8Text.start(before: start, in: text)) {
          start = UTF8Text.start(before: start, in: text)
        }
      }
      if token.stripsRight {
        while end < text.endIndex, isSpace(text, at: end) { end += UTF8Text.scalar(in: text, at: end).count }
      }
      appendText(upTo: start)
      parts.append(.token(match.id))
      begin = end
    }
    appendText(upTo: text.endIndex)
    return parts
  }

  private func isSpace(_ text: ArraySlice<UInt8>, at position: Int) -> Bool {
    UTF8Text.scalar(in: text, at: position).scalar.properties.isWhitespace
  }

  private func isSingleWord(_ text: ArraySlice<UInt8>, _ range: Range<Int>) -> Bool {
    if range.lowerBound > text.startIndex {
      let before = UTF8Text.start(before: range.lowerBound, in: text)
      if UTF8Text.scalar(in: text, at: before).scalar.isWordCharacter { return false }
    }
    return range.upperBound == text.endIndex
      || !UTF8Text.scalar(in: text, at: range.upperBound).scalar.isWordCharacter
  }
}
