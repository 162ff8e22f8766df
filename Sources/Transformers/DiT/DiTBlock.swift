import FeatureCaching
import Tensors

/// A block of self-attention and MLP, modulated by time and class: adaLN-Zero (diffusers: `BasicTransformerBlock` with
/// `ada_norm_zero`; figure 3 of the paper).
struct DiTBlock: Sendable {
  private let index: Int
  let modulation: AdaLayerNorm
  private let qkv: Linear
  private let projection: Linear
  private let mlp: FeedForward
  private let attention: Attention
  private let norm = LayerNorm(epsilon: 1e-6)
  private let mlpNorm: LayerNorm

  init(_ parameters: Parameters, _ configuration: DiTConfiguration, index: Int) throws {
    let width = configuration.width
    let attn = parameters.module("attn1")
    self.index = index
    modulation = try AdaLayerNorm(parameters.module("norm1"), inputs: width, width: width, parts: 6)
    qkv = try Linear(
      joining: ["to_q", "to_k", "to_v"].map { (attn.module($0), width) }, inputs: width,
      bias: configuration.hasAttentionBias)
    projection = try Linear(attn.module("to_out.0"), inputs: width, outputs: width)
    mlp = try FeedForward(parameters.module("ff"), width: width)
    attention = Attention(
      heads: configuration.heads, headWidth: configuration.headWidth, precision: parameters.precision)
    mlpNorm = LayerNorm(epsilon: configuration.mlpNormEpsilon)
  }

  var matrices: [WeightMatrix] { [qkv.weight, projection.weight] + mlp.matrices }

  var weightBytes: Int { modulation.weightBytes + qkv.weightBytes + projection.weightBytes + mlp.weightBytes }

  /// - Parameters:
  ///   - x: `[tokens, width]`
  ///   - isLast: whether no block follows in the model
  func callAsFunction(_ x: ResidualStream, vec: ModulationVector, isLast: Bool, cache: any FeatureCache, probe: Probe?)
  {
    let mod = modulation.branches(vec)
    record(mod, of: x, probe?.module("norm1"))

    let branch = Branch(index, .image, .attention)
    let attended = cache.feature(branch) {
      let qkv = qkv(norm(x.all, mod[0].input))  // [tokens, 3 width]
      cache.observeAttention([branch]) { [attention.received(qkv)] }
      return projection(attention(qkv))  // [tokens, width]
    }
    x.add(attended, gate: mod[0].gate)
    probe?("norm3", mlpNorm(x.all))
    let transformed = cache.feature(Branch(index, .image, .mlp), of: x) { rows in mlp(mlpNorm(rows, mod[1].input)) }
    x.add(transformed, gate: mod[1].gate)
    if isLast { cache.observe(.image, behind: index, x) }

    if let probe {
      probe("attn1", attended.sum)
      probe("ff", transformed.sum)
    }
  }

  /// What the attention takes, `[tokens, width]`.
  func modulatedInput(_ x: Tensor, vec: ModulationVector) -> Tensor { norm(x, modulation.branches(vec)[0].input) }

  private func record(_ modulation: [BranchModulation], of x: ResidualStream, _ probe: Probe?) {
    guard let probe else { return }
    probe("0", norm(x.all, modulation[0].input))
    probe("1", modulation[0].gate)
    probe("2", modulation[1].input.shift)
    probe("3", modulation[1].input.scale)
    probe("4", modulation[1].gate)
  }
}
