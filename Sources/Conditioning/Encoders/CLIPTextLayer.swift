import Tensors

/// A layer of CLIP's text encoder: attention and MLP, each behind a norm and beside a residual (`CLIPEncoderLayer`).
struct CLIPTextLayer: Sendable {
  private let norm1: LayerNorm
  private let qkv: Linear
  private let attention: Attention
  private let projection: Linear
  private let norm2: LayerNorm
  private let up: Linear
  private let down: Linear
  private let activation: Activation

  init(_ parameters: Parameters, _ configuration: CLIPTextConfiguration) throws {
    let (width, attn) = (configuration.width, parameters.module("self_attn"))
    norm1 = try LayerNorm(parameters.module("layer_norm1"), columns: width, epsilon: configuration.epsilon)
    qkv = try Linear(joining: ["q_proj", "k_proj", "v_proj"].map { (attn.module($0), width) }, inputs: width)
    attention = Attention(heads: configuration.heads, headWidth: configuration.headWidth)
    projection = try Linear(attn.module("out_proj"), inputs: width, outputs: width)
    norm2 = try LayerNorm(parameters.module("layer_norm2"), columns: width, epsilon: configuration.epsilon)
    up = try Linear(parameters.module("mlp.fc1"), inputs: width, outputs: configuration.mlpWidth)
    down = try Linear(parameters.module("mlp.fc2"), inputs: configuration.mlpWidth, outputs: width)
    activation = configuration.activation
  }

  var weightBytes: Int { qkv.weightBytes + projection.weightBytes + up.weightBytes + down.weightBytes }

  /// x: `[tokens, width]`
  func callAsFunction(_ x: inout Tensor) {
    x += projection(attention(qkv(norm1(x)), visibility: .causal))
    x += up(norm2(x), activation: activation, then: down)
  }
}
