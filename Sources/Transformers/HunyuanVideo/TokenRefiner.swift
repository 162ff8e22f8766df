import Tensors

/// Prepares a prompt's hidden states for the blocks, anew at each time (diffusers: `HunyuanVideoTokenRefiner`).
struct TokenRefiner: Sendable {
  private let timestepEmbedder: VectorEmbedder
  private let textEmbedder: VectorEmbedder
  private let input: Linear
  private let blocks: [TokenRefinerBlock]

  /// What of a prompt stays the same over all steps.
  struct Prompt: Sendable {
    /// `[text tokens, width]`
    let tokens: Tensor
    /// Of the mean of the prompt, `[1, width]`.
    let pooled: Tensor
    /// Tokens that are no padding.
    let validTokens: Int
  }

  init(_ parameters: Parameters, _ configuration: HunyuanVideoConfiguration) throws {
    let width = configuration.width
    let embed = parameters.module("time_text_embed")
    timestepEmbedder = try VectorEmbedder(embed.module("timestep_embedder"), inputs: 256, width: width)
    textEmbedder = try VectorEmbedder(embed.module("text_embedder"), inputs: configuration.textWidth, width: width)
    input = try Linear(parameters.module("proj_in"), inputs: configuration.textWidth, outputs: width)
    blocks = try (0..<configuration.refinerBlocks).map { index in
      try TokenRefinerBlock(parameters.module("token_refiner.refiner_blocks.\(index)"), configuration)
    }
  }

  var weightBytes: Int {
    timestepEmbedder.weightBytes + textEmbedder.weightBytes + input.weightBytes
      + blocks.reduce(0) { $0 + $1.weightBytes }
  }

  /// text: `[text tokens, text width]`, of which the first `validTokens` are no padding; at least one.
  func prompt(_ text: Tensor, validTokens: Int) -> Prompt {
    Prompt(tokens: input(text), pooled: textEmbedder(Self.mean(text, rows: validTokens)), validTokens: validTokens)
  }

  /// The mean of the first rows, `[columns]`.
  private static func mean(_ x: Tensor, rows: Int) -> Tensor {
    var sums = [Double](repeating: 0, count: x.columns)
    x.withUnsafeElements { x in
      for row in 0..<rows {
        for column in sums.indices { sums[column] += Double(x[row * sums.count + column]) }
      }
    }
    return Tensor(sums.map { Float($0 / Double(rows)) }, shape: [sums.count])
  }

  /// The vector that modulates the blocks at a timestep (0...1000), `[1, width]`.
  func conditioning(_ prompt: Prompt, timestep: Float, probe: Probe?) -> Tensor {
    let vec = timestepEmbedder(Sinusoid.embedding(timestep)) + prompt.pooled
    probe?("time_text_embed", vec)
    return vec.applying(.silu)
  }

  /// The text as the blocks of the transformer take it, `[text tokens, width]`.
  func callAsFunction(_ prompt: Prompt, conditioning vec: ModulationVector, probe: Probe?) -> Tensor {
    var x = prompt.tokens
    probe?("proj_in", x)
    for (index, block) in blocks.enumerated() {
      let name = "token_refiner.refiner_blocks.\(index)"
      block(&x, vec: vec, validTokens: prompt.validTokens, probe: probe?.module(name))
      probe?(name, x)
    }
    return x
  }
}
