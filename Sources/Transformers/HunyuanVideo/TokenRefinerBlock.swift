import FeatureCaching
import Tensors

/// Attention and MLP of the text alone; time and prompt give only the gates
/// (diffusers: `HunyuanVideoIndividualTokenRefinerBlock`).
struct TokenRefinerBlock: Sendable {
  private let attentionNorm: LayerNorm
  private let qkv: Linear
  private let attention: Attention
  private let projection: Linear
  private let mlpNorm: LayerNorm
  private let mlp: FeedForward
  private let gates: AdaLayerNorm

  init(_ parameters: Parameters, _ configuration: HunyuanVideoConfiguration) throws {
    let (width, attn) = (configuration.width, parameters.module("attn"))
    attentionNorm = try LayerNorm(parameters.module("norm1"), columns: width, epsilon: 1e-6)
    qkv = try Linear(joining: ["to_q", "to_k", "to_v"].map { (attn.module($0), width) }, inputs: width)
    attention = Attention(
      heads: configuration.heads, headWidth: configuration.headWidth, precision: parameters.precision)
    projection = try Linear(attn.module("to_out.0"), inputs: width, outputs: width)
    mlpNorm = try LayerNorm(parameters.module("norm2"), columns: width, epsilon: 1e-6)
    mlp = try FeedForward(
      parameters.module("ff"), width: width, inner: configuration.mlpWidth, activation: .silu)
    gates = try AdaLayerNorm(parameters.module("norm_out"), inputs: width, width: width, parts: 2)
  }

  var weightBytes: Int { qkv.weightBytes + projection.weightBytes + mlp.weightBytes + gates.weightBytes }

  /// - Parameters:
  ///   - x: `[text tokens, width]`
  func callAsFunction(_ x: inout Tensor, vec: ModulationVector, validTokens: Int, probe: Probe?) {
    let gates = gates.vectors(vec)
    let attended = projection(
      attention(qkv(attentionNorm(x)), visibility: .amongFirst(validTokens)))  // [text tokens, width]
    probe?("attn", attended)
    x.add(Feature(attended), gate: gates[0])
    x.add(Feature(mlp(mlpNorm(x))), gate: gates[1])
  }
}
