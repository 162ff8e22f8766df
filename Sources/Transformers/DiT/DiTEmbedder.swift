import Glibc
import Tensors

/// Time and class in one vector (diffusers: `CombinedTimestepLabelEmbeddings`). A checkpoint holds one in each block.
struct DiTEmbedder: Sendable {
  private let timestep: VectorEmbedder
  private let labels: EmbeddingTable

  init(_ parameters: Parameters, classes: Int, width: Int) throws {
    timestep = try VectorEmbedder(parameters.sensitive.module("timestep_embedder"), inputs: 256, width: width)
    // The last row stands for no class.
    labels = try EmbeddingTable(
      parameters.module("class_embedder.embedding_table"), rows: classes + 1, columns: width)
  }

  var weightBytes: Int { timestep.weightBytes + labels.rows * labels.columns * MemoryLayout<Float>.stride }

  /// `[1, width]`
  func embedded(label: Int) throws -> Tensor { try labels([Int32(label)]) }

  /// `[1, width]`
  func embedded(timestep value: Float) -> Tensor { timestep(Sinusoid.embedding(value, shift: 1)) }
}

/// The embedders of some blocks. In the checkpoints of Meta all of them hold the same numbers: of those that do, one is
/// kept.
struct DiTEmbedders: Sendable {
  private(set) var distinct: [DiTEmbedder] = []
  private var stored: [[StoredTensor]] = []

  private static let names = [
    "timestep_embedder.linear_1.weight", "timestep_embedder.linear_1.bias", "timestep_embedder.linear_2.weight",
    "timestep_embedder.linear_2.bias", "class_embedder.embedding_table.weight",
  ]

  /// The place among ``distinct`` of the embedder of a block.
  mutating func add(block: Int, _ parameters: Parameters, _ configuration: DiTConfiguration) throws -> Int {
    let embedder = parameters.module("transformer_blocks.\(block).norm1.emb")
    let tensors = try Self.names.map { try embedder.stored($0) }
    let known = stored.firstIndex { zip($0, tensors).allSatisfy { $0.holdsTheSame(as: $1) } }
    for tensor in tensors { tensor.advise(.done) }
    if let known { return known }
    distinct.append(
      try DiTEmbedder(embedder, classes: configuration.classes, width: configuration.width))
    stored.append(tensors)
    return distinct.count - 1
  }
}

extension StoredTensor {
  /// Whether type, shape and all bytes are equal.
  fileprivate func holdsTheSame(as other: StoredTensor) -> Bool {
    dtype == other.dtype && shape == other.shape
      && withBytes { bytes in
        other.withBytes { others in
          guard let first = bytes.baseAddress, let second = others.baseAddress else { return true }
          return memcmp(first, second, bytes.count) == 0
        }
      }
  }
}
