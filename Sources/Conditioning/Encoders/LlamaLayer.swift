import Tensors

/// A layer of Llama: grouped-query attention and a gated MLP, each behind a norm and beside a residual
/// (`LlamaDecoderLayer`).
struct LlamaLayer: Sendable {
  private let attentionNorm: RMSNorm
  private let qkv: Linear
  private let attention: Attention
  private let projection: Linear
  private let mlpNorm: RMSNorm
  private let gate: Linear
  private let up: Linear
  private let down: Linear
  private let activation: Activation

  init(_ parameters: Parameters, _ configuration: LlamaConfiguration) throws {
    let (width, mlpWidth, epsilon) = (configuration.width, configuration.mlpWidth, configuration.epsilon)
    let (attn, mlp) = (parameters.module("self_attn"), parameters.module("mlp"))
    let inner = configuration.heads * configuration.headWidth
    let keyWidth = configuration.keyValueHeads * configuration.headWidth
    attentionNorm = try RMSNorm(parameters.module("input_layernorm"), columns: width, epsilon: epsilon)
    qkv = try Linear(
      joining: [("q_proj", inner), ("k_proj", keyWidth), ("v_proj", keyWidth)].map { (attn.module($0), $1) },
      inputs: width, bias: configuration.hasAttentionBias)
    attention = Attention(
      heads: configuration.heads, headWidth: configuration.headWidth, keyValueHeads: configuration.keyValueHeads)
    projection = try Linear(
      attn.module("o_proj"), inputs: inner, outputs: width, bias: configuration.hasAttentionBias)
    mlpNorm = try RMSNorm(parameters.module("post_attention_layernorm"), columns: width, epsilon: epsilon)
    gate = try Linear(mlp.module("gate_proj"), inputs: width, outputs: mlpWidth, bias: configuration.hasMLPBias)
    up = try Linear(mlp.module("up_proj"), inputs: width, outputs: mlpWidth, bias: configuration.hasMLPBias)
    down = try Linear(mlp.module("down_proj"), inputs: mlpWidth, outputs: width, bias: configuration.hasMLPBias)
    activation = configuration.activation
  }

  var weightBytes: Int {
    qkv.weightBytes + projection.weightBytes + gate.weightBytes + up.weightBytes + down.weightBytes
  }

  /// x: `[tokens, width]`
  func callAsFunction(_ x: inout Tensor, rope: SplitRotaryEmbedding, visibility: Attention.Visibility, probe: Probe?) {
    var qkv = qkv(attentionNorm(x))  // `[tokens, (heads + 2 · keyValueHeads) · headWidth]`
    // Keys stand behind the queries, so that both turn at once.
    rope.apply(to: &qkv, heads: attention.heads + attention.keyValueHeads)
    let attended = projection(attention(qkv, visibility: visibility))
    probe?("self_attn", attended)
    x += attended

    let normed = mlpNorm(x)
    var hidden = gate(normed, activation: activation)  // `[tokens, mlpWidth]`
    hidden *= up(normed)
    let out = down(hidden)  // `[tokens, width]`
    probe?("mlp", out)
    x += out
  }
}
