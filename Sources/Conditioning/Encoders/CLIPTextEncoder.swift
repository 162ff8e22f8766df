import Tensors

/// The text encoder of CLIP (Radford et al., 2021), a transformer in which a token sees its own and earlier ones.
/// Source of names and order: `modeling_clip.py` of transformers, whose `CLIPTextModel` this is: without projection.
public struct CLIPTextEncoder: Sendable {
  public let configuration: CLIPTextConfiguration
  private let tokens: EmbeddingTable
  private let positions: EmbeddingTable
  private let layers: [CLIPTextLayer]
  private let finalNorm: LayerNorm

  /// What the encoder makes of a prompt.
  public struct Output: Sendable {
    /// After the last norm (`last_hidden_state`), `[tokens, width]`.
    public let hiddenStates: Tensor
    /// The row of the end of the text (`pooler_output`), `[width]`.
    public let pooled: Tensor
  }

  /// Reads the parameters of a `text_encoder` folder or of a file such as `clip_l.safetensors`: both have the same
  /// names, `text_model.…`.
  ///
  /// - Throws: ``ParameterError`` for a tensor that is missing or has another shape.
  public init(_ configuration: CLIPTextConfiguration, _ parameters: Parameters) throws {
    let (width, model) = (configuration.width, parameters.module("text_model"))
    self.configuration = configuration
    tokens = try EmbeddingTable(
      model.module("embeddings.token_embedding"), rows: configuration.vocabulary, columns: width)
    positions = try EmbeddingTable(
      model.module("embeddings.position_embedding"), rows: configuration.positions, columns: width)
    layers = try (0..<configuration.layers).map { index in
      try CLIPTextLayer(model.module("encoder.layers.\(index)"), configuration)
    }
    finalNorm = try LayerNorm(model.module("final_layer_norm"), columns: width, epsilon: configuration.epsilon)
  }

  /// The bytes that the weights occupy in memory or in the page cache, the tables apart.
  public var weightBytes: Int { layers.reduce(0) { $0 + $1.weightBytes } }

  /// Encodes the ids of one prompt, padding included: it takes part, as in diffusers' pipelines.
  ///
  /// - Throws: ``TensorError`` for an id beyond the vocabulary or too many ids; `CancellationError`.
  public func callAsFunction(_ ids: [Int32], probe: Probe? = nil) throws -> Output {
    guard !ids.isEmpty, ids.count <= configuration.positions else {
      throw TensorError(
        tensor: "input_ids", reason: "holds \(ids.count) ids, but CLIP takes 1 to \(configuration.positions)")
    }
    let probe = probe?.module("text_model")
    // `[tokens, width]`, as everywhere below
    var x = try tokens(ids) + positions(0..<Int32(ids.count))
    probe?("embeddings", x)
    for (index, layer) in layers.enumerated() {
      try Task.checkCancellation()
      layer(&x)
      probe?("encoder.layers.\(index)", x)
    }
    let hiddenStates = finalNorm(x)
    probe?("final_layer_norm", hiddenStates)
    let end = pooledPosition(ids)
    let pooled = hiddenStates.rows(end..<end + 1).reshaped([configuration.width])  // `[width]`
    return Output(hiddenStates: hiddenStates, pooled: pooled)
  }

  /// Where the text ends: at the first end token. Old configurations name 2 as their end token, which it is not; for
  /// them it is the first of the largest id, which in CLIP's vocabulary is the end token.
  public func pooledPosition(_ ids: [Int32]) -> Int {
    if configuration.endOfText == 2 {
      // Only a strictly larger id moves the place, as torch.argmax has it.
      return ids.indices.reduce(0) { ids[$1] > ids[$0] ? $1 : $0 }
    }
    // Without an end token torch's argmax of nothing but zeros is 0.
    return ids.firstIndex(of: configuration.endOfText) ?? 0
  }
}
