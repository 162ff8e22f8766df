/// What a SentencePiece model file (`spiece.model`) holds, as far as T5 needs it.
///
/// Source: sentencepiece_model.proto of SentencePiece: ModelProto has pieces (1), trainer_spec (2) and normalizer_spec (3).
struct SentencePieceModel {
  struct Piece {
    var text: [UInt8] = []
    var score: Float = 0
    var kind = Self.normal

    static let normal: UInt64 = 1
    static let control: UInt64 = 3
    static let userDefined: UInt64 = 4
  }

  private(set) var pieces: [Piece] = []
  private(set) var unknownID = 0
  /// 1 is Unigram, 2 BPE.
  private(set) var modelType: UInt64 = 1
  private(set) var characterTable: [UInt8] = []
  private var hasTrainer = false
  private var hasNormalizer = false

  init(_ bytes: [UInt8]) throws(TokenizerError.Problem) {
    var reader = ProtobufReader(bytes[...])
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (1, .bytes(let bytes)):
        guard pieces.count < Vocabulary.maximumCount else {
          throw .malformed("has more than \(Vocabulary.maximumCount) pieces")
        }
        pieces.append(try Self.piece(bytes))
      case (2, .bytes(let bytes)): try readTrainer(bytes)
      case (3, .bytes(let bytes)): try readNormalizer(bytes)
      case (1...3, _): throw .malformedModel("field \(field) is no message", offset: 0)
      default: break
      }
    }
    guard !pieces.isEmpty else { throw .malformed("is no SentencePiece model: it has no pieces") }
    // Both follow the pieces, so that a file that ends too early, but between two fields, is noticed.
    guard hasTrainer, hasNormalizer else {
      throw .malformedModel(
        "the specification of the \(hasTrainer ? "normalizer" : "trainer") is missing", offset: bytes.count)
    }
  }

  private static func piece(_ bytes: ArraySlice<UInt8>) throws(TokenizerError.Problem) -> Piece {
    var piece = Piece()
    var reader = ProtobufReader(bytes)
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (1, .bytes(let text)):
        guard String(validating: text, as: UTF8.self) != nil else {
          throw .malformedModel("a piece is not valid UTF-8", offset: text.startIndex)
        }
        piece.text = Array(text)
      case (2, .fixed32(let bits)): piece.score = Float(bitPattern: bits)
      case (3, .number(let kind)): piece.kind = kind
      case (1...3, _): throw .malformedModel("field \(field) of a piece has the wrong type", offset: bytes.startIndex)
      default: break
      }
    }
    return piece
  }

  private mutating func readTrainer(_ bytes: ArraySlice<UInt8>) throws(TokenizerError.Problem) {
    hasTrainer = true
    var reader = ProtobufReader(bytes)
    while let (field, value) = try reader.next() {
      switch (field, value) {
      case (3, .number(let type)): modelType = type
      case (40, .number(let id)): unknownID = Int(Int32(truncatingIfNeeded: id))
      default: break
      }
    }
  }

  private mutating func readNormalizer(_ bytes: ArraySlice<UInt8>) throws(TokenizerError.Problem) {
    hasNormalizer = true
    var reader = ProtobufReader(bytes)
    while let (field, value) = try reader.next() {
      if case (2, .bytes(let table)) = (field, value) { characterTable = Array(table) }
    }
  }
}
