/// Picks of all ways to write a text with tokens the one with the best sum of scores.
///
/// Source: `Unigram` in tokenizers (src/models/unigram/model.rs), after SentencePiece's `EncodeOptimized`. A character
/// that no token covers is an unknown one, with a score of 10 below the worst; unknown characters in a row are one token.
struct UnigramModel: TokenModel {
  private let vocabulary: Vocabulary
  private let scores: [Double]
  private let unknownID: Int32
  private let unknownScore: Double
  /// The ids of `<0x00>` to `<0xFF>`, -1 for those that are not in the vocabulary; empty without fallback.
  private let byteIDs: [Int32]

  var tokenCount: Int { vocabulary.count }
  var maximumID: Int32 { vocabulary.maximumID }
  func id(of token: String) -> Int32? { vocabulary.id(of: token.utf8) }

  /// Ids are the places in `pieces`.
  init(
    _ pieces: [(token: [UInt8], score: Double)], unknownID: Int, fallsBackToBytes: Bool = false
  ) throws(TokenizerError.Problem) {
    // Before ids are made of the places.
    guard pieces.count <= Vocabulary.maximumCount else {
      throw .malformed("the vocabulary has \(pieces.count) tokens, more than the limit of \(Vocabulary.maximumCount)")
    }
    guard pieces.indices.contains(unknownID) else { throw .idOutOfRange(unknownID, token: "for unknown text") }
    let vocabulary = try Vocabulary(pieces.enumerated().map { ($1.token, Int32($0)) })
    guard pieces.allSatisfy({ $0.score.isFinite }) else { throw .malformed("a token has a score that is no number") }
    self.vocabulary = vocabulary
    scores = pieces.map(\.score)
    self.unknownID = Int32(unknownID)
    unknownScore = pieces.reduce(.infinity) { min($0, $1.score) } - 10
    byteIDs =
      fallsBackToBytes ? (0..<256).map { vocabulary.id(of: ByteAlphabet.fallbackToken(UInt8($0)).utf8) ?? -1 } : []
  }

  func tokenize(_ piece: ArraySlice<UInt8>, into ids: inout [Int32]) {
    let path = bestPath(piece)
    var index = path.count - 1
    while index >= 0 {
      let range = path[index].range
      index -= 1
      guard path[index + 1].id == unknownID else {
        ids.append(path[index + 1].id)
        continue
      }
      var end = range.upperBound
      while index >= 0, path[index].id == unknownID {
        end = path[index].range.upperBound
        index -= 1
      }
      appendUnknown(piece[range.lowerBound..<end], into: &ids)
    }
  }

  /// Unknown text can be a token all the same, if that token's score is worse than those of its unknown characters.
  private func appendUnknown(_ text: ArraySlice<UInt8>, into ids: inout [Int32]) {
    if let id = vocabulary.id(of: text) {
      ids.append(id)
    } else if !byteIDs.isEmpty, text.allSatisfy({ byteIDs[Int($0)] >= 0 }) {
      for byte in text { ids.append(byteIDs[Int(byte)]) }
    } else {
      ids.append(unknownID)
    }
  }

  /// The tokens of the best way, last first.
  private func bestPath(_ text: ArraySlice<UInt8>) -> [(range: Range<Int>, id: Int32)] {
    /// The best way that ends at some place: its score and its last token.
    struct Node {
      var score = 0.0
      var start: Int32 = -1
      var id: Int32 = 0
    }
    let base = text.startIndex
    var nodes = [Node](repeating: Node(), count: text.count + 1)
    var position = base
    while position < text.endIndex {
      let score = nodes[position - base].score
      let characterEnd = position + UTF8Text.scalar(in: text, at: position).count
      var coversCharacter = false
      func offer(_ id: Int32, _ end: Int, _ score: Double) {
        guard nodes[end - base].start < 0 || score > nodes[end - base].score else { return }
        nodes[end - base] = Node(score: score, start: Int32(position - base), id: id)
      }
      vocabulary.forEachPrefix(of: text, at: position) { id, end in
        offer(id, end, scores[Int(id)] + score)
        if end == characterEnd { coversCharacter = true }
      }
      if !coversCharacter { offer(unknownID, characterEnd, unknownScore + score) }
      position = characterEnd
    }
    var path: [(range: Range<Int>, id: Int32)] = []
    var end = text.count
    while end > 0 {
      let node = nodes[end]
      path.append((base + Int(node.start)..<base + end, node.id))
      end = Int(node.start)
    }
    return path
  }
}
