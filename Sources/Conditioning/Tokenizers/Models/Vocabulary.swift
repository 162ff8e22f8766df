/// Tokens and their ids.
struct Vocabulary: Sendable {
  private let trie: ByteTrie
  private let entries: [(key: [UInt8], id: Int32)]
  let maximumID: Int32

  var count: Int { entries.count }

  /// Bounds that no real vocabulary comes near (Gemma's has 262144 tokens) but that keep a hostile file from taking all
  /// memory or time: searching a trie takes as many steps as its longest token has bytes.
  static let maximumCount = 1 << 20
  static let maximumID: Int32 = 1 << 24
  static let maximumTokenLength = 512
  static let maximumBytes = 16 << 20

  /// Of equal tokens the last counts.
  init(_ entries: [(key: [UInt8], id: Int32)]) throws(TokenizerError.Problem) {
    guard !entries.isEmpty else { throw .malformed("the vocabulary is empty") }
    guard entries.count <= Self.maximumCount else {
      throw .malformed("the vocabulary has \(entries.count) tokens, more than the limit of \(Self.maximumCount)")
    }
    var byteCount = 0
    var maximumID: Int32 = 0
    for (key, id) in entries {
      try Self.check(key, id: Int(id))
      byteCount += key.count
      maximumID = max(maximumID, id)
    }
    guard byteCount <= Self.maximumBytes else {
      throw .malformed("the tokens have \(byteCount) bytes, more than the limit of \(Self.maximumBytes)")
    }
    self.entries = entries
    self.maximumID = maximumID
    trie = ByteTrie(entries)
  }

  static func check(_ token: [UInt8], id: Int) throws(TokenizerError.Problem) {
    guard id >= 0, id <= Int(maximumID) else {
      throw .idOutOfRange(id, token: String(decoding: token, as: UTF8.self))
    }
    guard token.count <= maximumTokenLength else {
      throw .malformed("a token has \(token.count) bytes, more than the limit of \(maximumTokenLength)")
    }
  }

  @inline(__always)
  func id(of token: some Sequence<UInt8>) -> Int32? { trie.id(of: token) }

  @inline(__always)
  func forEachPrefix(of text: ArraySlice<UInt8>, at position: Int, _ body: (_ id: Int32, _ end: Int) -> Void) {
    trie.forEachPrefix(of: text, at: position, body)
  }

  /// The ids of the tokens that are one character between `prefix` and `suffix`.
  func characterIDs(prefix: [UInt8], suffix: [UInt8]) -> [UInt32: Int32] {
    var ids: [UInt32: Int32] = [:]
    for (key, id) in entries {
      guard key.starts(with: prefix), key.count > prefix.count + suffix.count, key.suffix(suffix.count) == suffix[...]
      else { continue }
      let middle = key[prefix.count..<key.count - suffix.count]
      let (scalar, count) = UTF8Text.scalar(in: middle, at: middle.startIndex)
      if count == middle.count { ids[scalar.value] = id }
    }
    return ids
  }
}
