import FeatureCaching
import Tensors

/// A block with one set of weights for text and picture, whose attention and MLP run side by side: the second kind of
/// FLUX and HunyuanVideo (diffusers: `FluxSingleTransformerBlock`, `HunyuanVideoSingleTransformerBlock`).
struct SingleStreamBlock: Sendable {
  private let index: Int
  let modulation: AdaLayerNorm
  private let qkv: Linear
  private let queryNorm: RMSNorm
  private let keyNorm: RMSNorm
  private let mlp: Linear
  private let output: Linear
  private let attention: Attention

  /// - Parameters:
  ///   - index: the block's place in the whole model.
  ///   - mlpWidth: inside of the MLP.
  init(_ parameters: Parameters, index: Int, heads: Int, headWidth: Int, mlpWidth: Int) throws {
    let width = heads * headWidth
    let attn = parameters.module("attn")
    self.index = index
    modulation = try AdaLayerNorm(parameters.module("norm"), inputs: width, width: width, parts: 3)
    qkv = try Linear(joining: ["to_q", "to_k", "to_v"].map { (attn.module($0), width) }, inputs: width)
    queryNorm = try RMSNorm(attn.module("norm_q"), columns: headWidth, epsilon: 1e-6)
    keyNorm = try RMSNorm(attn.module("norm_k"), columns: headWidth, epsilon: 1e-6)
    mlp = try Linear(parameters.module("proj_mlp"), inputs: width, outputs: mlpWidth)
    output = try Linear(parameters.module("proj_out"), inputs: width + mlpWidth, outputs: width)
    attention = Attention(heads: heads, headWidth: headWidth, precision: parameters.precision)
  }

  var matrices: [WeightMatrix] { [qkv.weight, mlp.weight, output.weight] }

  var weightBytes: Int {
    modulation.weightBytes + qkv.weightBytes + mlp.weightBytes + output.weightBytes
  }

  /// - Parameters:
  ///   - x: `[text tokens + image tokens, width]`
  ///   - rope: of all tokens
  ///   - visibility: which keys the attention sees
  func callAsFunction(
    _ x: ResidualStream, vec: ModulationVector, rope: RotaryEmbedding, visibility: Attention.Visibility = .all,
    cache: any FeatureCache, probe: Probe?
  ) {
    let mod = modulation.branches(vec)[0]
    let norm = LayerNorm(epsilon: 1e-6)
    let branch = Branch(index, .joint, .whole)
    let whole = cache.feature(branch, of: x) {
      selfAttention(norm(x.all, mod.input), rope, visibility, probe) { qkv in
        cache.observeAttention([branch]) { [attention.received(qkv, visibility: visibility)] }
      }
    } compute: { rows, attended in
      joined(norm(rows, mod.input), attended, epilogue: cache.epilogue(of: branch), probe)
    }
    probe?("norm.1", mod.gate)
    x.add(whole, gate: mod.gate)
  }

  /// What the attention takes, `[all tokens, width]`.
  func modulatedInput(_ x: Tensor, vec: ModulationVector) -> Tensor {
    LayerNorm(epsilon: 1e-6)(x, modulation.branches(vec)[0].input)
  }

  /// `[all tokens, width]` → `[all tokens, width]`
  private func selfAttention(
    _ x: Tensor, _ rope: RotaryEmbedding, _ visibility: Attention.Visibility, _ probe: Probe?,
    observe: (_ qkv: Tensor) -> Void
  ) -> Tensor {
    let (heads, width) = (attention.heads, x.columns)
    var qkv = qkv(x)  // [tokens, 3 width]
    queryNorm.apply(to: &qkv, rows: 0..<x.rows, firstColumn: 0, heads: heads)
    keyNorm.apply(to: &qkv, rows: 0..<x.rows, firstColumn: width, heads: heads)
    rope.apply(to: &qkv, firstColumn: 0, heads: heads)
    rope.apply(to: &qkv, firstColumn: width, heads: heads)
    observe(qkv)
    let attended = attention(qkv, visibility: visibility)
    if let probe {
      probe("norm.0", x)
      probe("attn", attended)
    }
    return attended
  }

  /// The MLP of some tokens beside the attention that they have: `[rows, width]` each → `[rows, width]`
  private func joined(_ x: Tensor, _ attended: Tensor, epilogue: (any ProductEpilogue)?, _ probe: Probe?) -> Tensor {
    let out = mlp(x, activation: .geluTanh, beside: attended, then: output, epilogue: epilogue)  // [rows, width]
    if let probe {
      probe("proj_mlp", mlp(x))
      probe("proj_out", out)
    }
    return out
  }
}
