import Tensors

/// Llama (Touvron et al., 2023) as a text encoder: hidden states of a layer, in which a token sees its own and earlier
/// ones. Source of names and order: `modeling_llama.py` of transformers, whose `LlamaModel` this is.
public struct LlamaEncoder: Sendable {
  public let configuration: LlamaConfiguration
  private let tokens: EmbeddingTable
  private let layers: [LlamaLayer]
  /// Only where all layers are loaded.
  private let finalNorm: RMSNorm?

  /// Reads the parameters of a `text_encoder` folder.
  ///
  /// - Parameter layerCount: so many layers, from the first on, and their hidden states as they are; all layers and the
  ///   last norm if nil.
  /// - Throws: ``ParameterError`` for a tensor that is missing or has another shape.
  public init(_ configuration: LlamaConfiguration, _ parameters: Parameters, layerCount: Int? = nil) throws {
    // With a head for the next token, everything else is one module deeper.
    let model = parameters.contains("model.embed_tokens.weight") ? parameters.module("model") : parameters
    let width = configuration.width
    self.configuration = configuration
    tokens = try EmbeddingTable(model.module("embed_tokens"), rows: configuration.vocabulary, columns: width)
    layers = try (0..<(layerCount ?? configuration.layers)).map { index in
      try LlamaLayer(model.module("layers.\(index)"), configuration)
    }
    finalNorm =
      layerCount == nil
      ? try RMSNorm(model.module("norm"), columns: width, epsilon: configuration.epsilon) : nil
  }

  /// The bytes that the weights occupy in memory or in the page cache, the table of tokens apart.
  public var weightBytes: Int { layers.reduce(0) { $0 + $1.weightBytes } }

  /// The hidden states of one prompt, `[tokens, width]`.
  ///
  /// - Parameters:
  ///   - ids: of the prompt, with padding behind it.
  ///   - validTokens: how many ids are no padding; padding is not attended to, but gets hidden states of its own.
  /// - Throws: ``TensorError`` for an id beyond the vocabulary or too many ids; `CancellationError`.
  public func callAsFunction(_ ids: [Int32], validTokens: Int, probe: Probe? = nil) throws -> Tensor {
    guard !ids.isEmpty, ids.count <= configuration.positions else {
      throw TensorError(
        tensor: "input_ids", reason: "holds \(ids.count) ids, but Llama takes 1 to \(configuration.positions)")
    }
    let rope = SplitRotaryEmbedding(
      tokens: ids.count, headWidth: configuration.headWidth, theta: configuration.ropeTheta)
    var x = try tokens(ids)  // `[tokens, width]`, as everywhere below
    for (index, layer) in layers.enumerated() {
      try Task.checkCancellation()
      probe?("hidden_states.\(index)", x)
      layer(
        &x, rope: rope, visibility: .causalAmongFirst(max(1, validTokens)), probe: probe?.module("layers.\(index)"))
    }
    let output = finalNorm.map { $0(x) } ?? x
    probe?("hidden_states.\(layers.count)", output)
    return output
  }
}
