/// The added tokens of a tokenizer and how they cut a text.
///
/// Source: `AddedVocabulary` in tokenizers (src/tokenizer/added_vocabulary.rs). Tokens that are not normalized are cut
/// out of the raw text, the others out of the normalized text between those. Of several that match, the leftmost counts,
/// then the longest.
struct AddedVocabulary: Sendable {
  private var tokens: [AddedToken] = []
  private var ids: [Int32] = []
  private var indices: [[UInt8]: Int] = [:]
  /// Of the id, the declaration that was made last: it rules over white space and word boundaries.
  private var latest: [Int32: AddedToken] = [:]
  private var raw = ByteTrie([])
  private var normalized = ByteTrie([])

  /// Adds a token. The first declaration of a content decides whether it is normalized, the last one about the rest.
  mutating func add(_ token: AddedToken, id: Int32) {
    let key = Array(token.content.utf8)
    guard !key.isEmpty else { return }
    if indices[key] == nil {
      indices[key] = tokens.count
      tokens.append(token)
      ids.append(id)
    }
    latest[id] = token
  }

  func id(of content: String) -> Int32? { indices[Array(content.utf8)].map { ids[$0] } }

  var maximumID: Int32? { ids.max() }

  /// Makes the tokens findable; to be called after the last ``add(_:id:)``.
  mutating func prepare(normalizer: (any Normalizer)?) {
    var rawEntries: [(key: [UInt8], id: Int32)] = []
    var normalizedEntries: [(key: [UInt8], id: Int32)] = []
    for (token, id) in zip(tokens, ids) {
      let key = Array(token.content.utf8)
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
      if isWord(UTF8Text.scalar(in: text, at: before).scalar) { return false }
    }
    return range.upperBound == text.endIndex || !isWord(UTF8Text.scalar(in: text, at: range.upperBound).scalar)
  }

  /// `\w` (UTS #18, annex C).
  private func isWord(_ scalar: Unicode.Scalar) -> Bool {
    let properties = scalar.properties
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
    default: return properties.isAlphabetic || properties.isJoinControl
    }
  }
}
