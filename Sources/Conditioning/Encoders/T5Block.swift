import Tensors

/// A block of T5's encoder: attention and MLP, each behind a norm and beside a residual; no biases (`T5Block`).
struct T5Block: Sendable {
  private let attentionNorm: RMSNorm
  private let qkv: Linear
  private let attention: Attention
  private let projection: Linear
  private let mlpNorm: RMSNorm
  private let up: Linear
  private let gate: Linear?
  private let down: Linear
  private let activation: Activation

  init(_ parameters: Parameters, _ configuration: T5Configuration) throws {
    let width = configuration.width
    let inner = configuration.heads * configuration.headWidth
    let attn = parameters.module("layer.0.SelfAttention")
    attentionNorm = try RMSNorm(
      parameters.module("layer.0.layer_norm"), columns: width, epsilon: configuration.epsilon)
    qkv = try Linear(joining: ["q", "k", "v"].map { (attn.module($0), inner) }, inputs: width, bias: false)
    // The factor 1/√d is in the trained weights.
    attention = Attention(heads: configuration.heads, headWidth: configuration.headWidth, scale: 1)
    projection = try Linear(attn.module("o"), inputs: inner, outputs: width, bias: false)

    let (mlp, mlpWidth) = (parameters.module("layer.1.DenseReluDense"), configuration.mlpWidth)
    func linear(_ name: String, _ inputs: Int, _ outputs: Int) throws -> Linear {
      try Linear(mlp.module(name), inputs: inputs, outputs: outputs, bias: false)
    }
    mlpNorm = try RMSNorm(parameters.module("layer.1.layer_norm"), columns: width, epsilon: configuration.epsilon)
    up = try linear(configuration.isGated ? "wi_0" : "wi", width, mlpWidth)
    gate = configuration.isGated ? try linear("wi_1", width, mlpWidth) : nil
    down = try linear("wo", mlpWidth, width)
    activation = configuration.activation
  }

  var weightBytes: Int {
    qkv.weightBytes + projection.weightBytes + up.weightBytes + (gate?.weightBytes ?? 0) + down.weightBytes
  }

  /// x: `[tokens, width]`, bias: `[heads, tokens, tokens]`
  func callAsFunction(_ x: inout Tensor, bias: Tensor, probe: Probe?) {
    let attended = projection(attention(qkv(attentionNorm(x)), bias: bias))
    probe?("layer.0.SelfAttention.0", attended)
    probe?("layer.0.SelfAttention.1", bias)
    x += attended

    let normed = mlpNorm(x)
    var hidden = up(normed, activation: activation)  // `[tokens, mlpWidth]`
    if let gate { hidden *= gate(normed) }
    x += down(hidden)  // `[tokens, width]`
    probe?("layer.1", x)
  }
}
