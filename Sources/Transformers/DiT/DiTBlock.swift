import FeatureCaching
import Tensors

/// A block of self-attention and MLP, modulated by time and class: adaLN-Zero (diffusers: `BasicTransformerBlock` with
/// `ada_norm_zero`; figure 3 of the paper).
final class DiTBlock: Sendable {
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

  private var mlpBranch: Branch { Branch(index, .image, .mlp) }

  var matrices: [WeightMatrix] { [qkv.weight, projection.weight] + mlp.matrices }

  var weightBytes: Int { modulation.weightBytes + qkv.weightBytes + projection.weightBytes + mlp.weightBytes }

  /// What a block is given of a sample's step.
  struct Pass {
    /// `[tokens, width]`
    let x: ResidualStream
    let vec: ModulationVector
    let cache: any FeatureCache
    let probe: Probe?
  }

  /// - Parameters:
  ///   - passes: of samples that go through the block side by side: the rows that are computed of each share one MLP, whose
  ///     weights are read once for all.
  ///   - isLast: whether no block follows in the model.
  func callAsFunction(_ passes: [Pass], isLast: Bool) {
    let asked = Self.map(passes) { place in ask(passes[place]) }
    // Rows that are computed together have no epilogue: it is that of one cache.
    let epilogue = passes.count == 1 ? passes[0].cache.epilogue(of: mlpBranch) : nil
    let outputs = asked.map(\.rows).outputs(mostRows: mlp.mostRowsAlike) { mlp($0, epilogue: epilogue) }
    _ = Self.map(passes) { place in
      let pass = passes[place]
      let transformed = asked[place].request.feature(outputs[place]?.rows)
      pass.x.add(transformed, gate: asked[place].gate)
      if isLast { pass.cache.observe(.image, behind: index, pass.x) }
      pass.probe?("ff", transformed.sum)
    }
  }

  /// What samples do each for themselves: side by side where that is little for each, since forecasts were summed before the
  /// step; otherwise all threads work on one after the other.
  private static func map<Value>(_ passes: [Pass], _ body: (_ place: Int) -> Value) -> [Value] {
    let isLittle = passes.allSatisfy { $0.cache.isSummedAhead && $0.probe == nil }
    return isLittle ? ThreadPool.shared.map(passes.count, body) : passes.indices.map(body)
  }

  /// What the MLP is asked for, with the rows that it takes.
  private func ask(_ pass: Pass) -> (request: RowRequest, rows: Tensor?, gate: Tensor) {
    let mod = modulation.branches(pass.vec)
    attend(pass, mod)
    let request = pass.cache.request(mlpBranch, of: pass.x)
    return (request, request.rows.map { mlpNorm($0, mod[1].input) }, mod[1].gate)
  }

  private func attend(_ pass: Pass, _ mod: [BranchModulation]) {
    let (x, cache, probe) = (pass.x, pass.cache, pass.probe)
    record(mod, of: x, probe?.module("norm1"))
    let branch = Branch(index, .image, .attention)
    let attended = cache.feature(branch) {
      let qkv = qkv(norm(x.all, mod[0].input))  // [tokens, 3 width]
      cache.observeAttention([branch]) { [attention.received(qkv)] }
      return projection(attention(qkv), epilogue: cache.epilogue(of: branch))  // [tokens, width]
    }
    x.add(attended, gate: mod[0].gate)
    probe?("attn1", attended.sum)
    probe?("norm3", mlpNorm(x.all))
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
