/// Byte-pair encoding: a word begins as its characters, and neighbours that stand in a list of merges are joined, first
/// in the list first.
///
/// Source: `BPE` in tokenizers (src/models/bpe/model.rs and word.rs).
struct BPEModel: TokenModel {
  struct Options: Sendable {
    var unknown: String?
    var subwordPrefix = ""
    var endOfWordSuffix = ""
    var fusesUnknown = false
    var fallsBackToBytes = false
    var ignoresMerges = false
  }

  private let vocabulary: Vocabulary
  private let options: Options
  private let unknownID: Int32?
  /// The ids of `<0x00>` to `<0xFF>`, -1 for those that are not in the vocabulary.
  private let byteIDs: [Int32]
  /// Under two ids: the rank of their merge in the upper half, the id of the result in the lower one.
  private let merges: [UInt64: UInt64]
  /// The ids of single characters, by whether the character is the first and the last of its word.
  private let characterIDs: [[UInt32: Int32]]

  var tokenCount: Int { vocabulary.count }
  var maximumID: Int32 { vocabulary.maximumID }
  func id(of token: String) -> Int32? { vocabulary.id(of: token.utf8) }

  /// Of equal merges the last counts.
  init(
    _ vocabulary: Vocabulary, merges pairs: [(left: [UInt8], right: [UInt8])], _ options: Options
  ) throws(TokenizerError.Problem) {
    self.vocabulary = vocabulary
    self.options = options
    byteIDs =
      options.fallsBackToBytes
      ? (0..<256).map { vocabulary.id(of: ByteAlphabet.fallbackToken(UInt8($0)).utf8) ?? -1 } : []
    unknownID = options.unknown.flatMap { vocabulary.id(of: $0.utf8) }
    if let unknown = options.unknown, unknownID == nil { throw .missingToken(unknown, neededFor: "the model") }
    var merges: [UInt64: UInt64] = [:]
    merges.reserveCapacity(pairs.count)
    let prefixLength = options.subwordPrefix.utf8.count
    for (rank, (left, right)) in pairs.enumerated() {
      guard right.count >= prefixLength else { throw .malformed("a merge lacks the prefix of subwords") }
      let result = left + right[prefixLength...]
      merges[Self.key(try Self.mergeID(left, vocabulary), try Self.mergeID(right, vocabulary))] =
        UInt64(rank) << 32 | UInt64(try Self.mergeID(result, vocabulary))
    }
    self.merges = merges
    characterIDs = (0..<4).map { position in
      vocabulary.characterIDs(
        prefix: position & 1 == 0 ? Array(options.subwordPrefix.utf8) : [],
        suffix: position & 2 == 0 ? [] : Array(options.endOfWordSuffix.utf8))
    }
  }

  private static func mergeID(_ token: [UInt8], _ vocabulary: Vocabulary) throws(TokenizerError.Problem) -> Int32 {
    guard let id = vocabulary.id(of: token) else {
      throw .missingToken(String(decoding: token, as: UTF8.self), neededFor: "a merge")
    }
    return id
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 { UInt64(left) << 32 | UInt64(right) }

  func tokenize(_ piece: ArraySlice<UInt8>, into ids: inout [Int32]) {
    guard !piece.isEmpty else { return }
    if options.ignoresMerges, let id = vocabulary.id(of: piece) {
      ids.append(id)
      return
    }
    merge(symbols(piece), into: &ids)
  }

  /// The ids of the characters of a word.
  private func symbols(_ word: ArraySlice<UInt8>) -> [Int32] {
    var symbols: [Int32] = []
    symbols.reserveCapacity(word.count)
    /// Unknown characters wait for the next known one, since several may become one token.
    var hasUnknown = false
    var position = word.startIndex
    while position < word.endIndex {
      let (scalar, count) = UTF8Text.scalar(in: word, at: position)
      let end = position + count
      let kind = (position == word.startIndex ? 1 : 0) | (end == word.endIndex ? 2 : 0)
      if let id = characterIDs[kind][scalar.value] {
        if hasUnknown, let unknownID { symbols.append(unknownID) }
        hasUnknown = false
        symbols.append(id)
      } else if let bytes = fallback(word[position..<end], kind) {
        symbols.append(contentsOf: bytes)
      } else if let unknownID {
        if hasUnknown, !options.fusesUnknown { symbols.append(unknownID) }
        hasUnknown = true
      }
      position = end
    }
    if hasUnknown, let unknownID { symbols.append(unknownID) }
    return symbols
  }

  /// The tokens of the bytes of a character with its prefix and suffix, if all are in the vocabulary.
  private func fallback(_ character: ArraySlice<UInt8>, _ kind: Int) -> [Int32]? {
    guard options.fallsBackToBytes else { return nil }
    var bytes = kind & 1 == 0 ? Array(options.subwordPrefix.utf8) : []
    bytes += character
    if kind & 2 != 0 { bytes += options.endOfWordSuffix.utf8 }
    let ids = bytes.map { byteIDs[Int($0)] }
    return ids.contains(-1) ? nil : ids
  }

  /// Joins neighbours until no merge is possible any more, and appends what is left.
  private func merge(_ symbols: [Int32], into ids: inout [Int32]) {
    guard symbols.count > 1 else {
      ids.append(contentsOf: symbols)
      return
    }
    // A doubly linked list over the symbols; -1 in `symbols` marks those that have been merged into their left one.
    var symbols = symbols
    var next = (0..<Int32(symbols.count)).map { $0 + 1 }
    var previous = (0..<Int32(symbols.count)).map { $0 - 1 }
    let end = Int32(symbols.count)
    var queue = MergeQueue()
    func push(_ left: Int32, _ right: Int32) {
      guard let merge = merges[Self.key(symbols[Int(left)], symbols[Int(right)])] else { return }
      queue.push(
        MergeQueue.Merge(rank: Int32(merge >> 32), position: left, id: Int32(truncatingIfNeeded: merge)))
    }
    for left in 0..<end - 1 { push(left, left + 1) }
    while let merge = queue.pop() {
      let left = Int(merge.position)
      guard symbols[left] >= 0, next[left] < end else { continue }
      let right = Int(next[left])
      // The pair may be another one than when the merge was queued.
      guard let current = merges[Self.key(symbols[left], symbols[right])],
        Int32(truncatingIfNeeded: current) == merge.id
      else { continue }
      symbols[left] = merge.id
      symbols[right] = -1
      next[left] = next[right]
      if next[left] < end { previous[Int(next[left])] = merge.position }
      if previous[left] >= 0 { push(previous[left], merge.position) }
      if next[left] < end { push(merge.position, next[left]) }
    }
    for symbol in symbols where symbol >= 0 { ids.append(symbol) }
  }
}
