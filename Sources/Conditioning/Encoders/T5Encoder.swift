import Tensors

/// The encoder of T5 (Raffel et al., 2020), whose attention knows positions by a bias alone.
/// Source of names and order: `modeling_t5.py` of transformers, whose `T5EncoderModel` this is.
public struct T5Encoder: Sendable {
  public let configuration: T5Configuration
  private let tokens: EmbeddingTable
  /// `[buckets, heads]`
  private let positionBias: Tensor
  private let blocks: [T5Block]
  private let finalNorm: RMSNorm

  /// Reads the parameters of a `text_encoder_2` folder or of a file such as `t5xxl_fp16.safetensors`.
  ///
  /// - Throws: ``ParameterError`` for a tensor that is missing or has another shape, ``FileError`` for scaled float8 weights.
  public init(_ configuration: T5Configuration, _ parameters: Parameters) throws {
    let (width, encoder) = (configuration.width, parameters.module("encoder"))
    // ComfyUI's scaled float8 files keep a factor for each matrix; without it the weights would look right and be wrong.
    if parameters.contains("scaled_fp8") {
      throw FileError(
        path: parameters.source.path,
        reason: "holds float8 weights with scales (scaled_fp8), which are not supported; use the float16 file or the "
          + "plain float8 one")
    }
    self.configuration = configuration
    // The table is shared with the decoder that T5 has elsewhere; files hold it under one name or under both.
    let table = ["shared.weight", "encoder.embed_tokens.weight"].first { parameters.contains($0) }
    tokens = try EmbeddingTable(
      parameters, name: table ?? "shared.weight", rows: configuration.vocabulary, columns: width)
    positionBias = try encoder.module("block.0.layer.0.SelfAttention.relative_attention_bias").tensor(
      "weight", shape: [configuration.buckets.count, configuration.heads])
    blocks = try (0..<configuration.layers).map { index in
      try T5Block(encoder.module("block.\(index)"), configuration)
    }
    finalNorm = try RMSNorm(encoder.module("final_layer_norm"), columns: width, epsilon: configuration.epsilon)
  }

  /// The bytes that the weights occupy in memory or in the page cache, the table of tokens apart.
  public var weightBytes: Int { blocks.reduce(0) { $0 + $1.weightBytes } }

  /// The hidden states of one prompt behind the last norm, `[tokens, width]`. Padding takes part: FLUX was trained
  /// without a mask.
  ///
  /// - Throws: ``TensorError`` for an id beyond the vocabulary or no ids; `CancellationError`.
  public func callAsFunction(_ ids: [Int32], probe: Probe? = nil) throws -> Tensor {
    guard !ids.isEmpty else { throw TensorError(tensor: "input_ids", reason: "holds no ids") }
    let bias = bias(tokens: ids.count)
    var x = try tokens(ids)  // `[tokens, width]`, as everywhere below
    for (index, block) in blocks.enumerated() {
      try Task.checkCancellation()
      let probe = probe?.module("encoder.block.\(index)")
      block(&x, bias: bias, probe: probe)
      probe?("0", x)
      probe?("1", bias)
    }
    return finalNorm(x)
  }

  /// What is added to the scores of attention, `[heads, tokens, tokens]`; the same in every block.
  private func bias(tokens: Int) -> Tensor {
    let (heads, buckets) = (configuration.heads, configuration.buckets)
    // The bias depends on the offset alone: key − query + tokens − 1 is its place in this list.
    let bucketOfOffset = (1 - tokens..<tokens).map(buckets.bucket(ofOffset:))
    var bias = Tensor(uninitialized: [heads, tokens, tokens])
    positionBias.withUnsafeElements { table in
      bias.withUnsafeMutableElements { bias in
        for head in 0..<heads {
          let ofOffset = bucketOfOffset.map { table[$0 * heads + head] }
          for query in 0..<tokens {
            let row = (head * tokens + query) * tokens
            _ = bias[row..<row + tokens].update(fromContentsOf: ofOffset[tokens - 1 - query..<2 * tokens - 1 - query])
          }
        }
      }
    }
    return bias
  }
}
