import FeatureCaching
import Tensors

/// A block with weights of their own for the picture and the text, which meet in one attention: the first kind of FLUX
/// and HunyuanVideo (diffusers: `FluxTransformerBlock`, `HunyuanVideoTransformerBlock`).
struct DoubleStreamBlock: Sendable {
  private let index: Int
  private let order: JointOrder
  private let img: Stream
  private let txt: Stream
  private let attention: Attention

  /// The weights of one stream.
  private struct Stream: Sendable {
    let modulation: AdaLayerNorm
    let qkv: Linear
    let queryNorm: RMSNorm
    let keyNorm: RMSNorm
    let projection: Linear
    let mlp: FeedForward

    var matrices: [WeightMatrix] { [qkv.weight, projection.weight] + mlp.matrices }

    var weightBytes: Int {
      modulation.weightBytes + qkv.weightBytes + projection.weightBytes + mlp.weightBytes
    }
  }

  /// - Parameters:
  ///   - index: the block's place in the whole model.
  ///   - mlpWidth: inside of the MLPs.
  init(
    _ parameters: Parameters, index: Int, order: JointOrder, heads: Int, headWidth: Int, mlpWidth: Int
  ) throws {
    let width = heads * headWidth
    let attn = parameters.module("attn")
    func stream(
      norm: String, q: String, k: String, v: String, queryNorm: String, keyNorm: String, out: String, mlp: String
    ) throws -> Stream {
      Stream(
        modulation: try AdaLayerNorm(parameters.module(norm), inputs: width, width: width, parts: 6),
        qkv: try Linear(joining: [q, k, v].map { (attn.module($0), width) }, inputs: width),
        queryNorm: try RMSNorm(attn.module(queryNorm), columns: headWidth, epsilon: 1e-6),
        keyNorm: try RMSNorm(attn.module(keyNorm), columns: headWidth, epsilon: 1e-6),
        projection: try Linear(attn.module(out), inputs: width, outputs: width),
        mlp: try FeedForward(parameters.module(mlp), width: width, inner: mlpWidth))
    }
    self.index = index
    self.order = order
    img = try stream(
      norm: "norm1", q: "to_q", k: "to_k", v: "to_v", queryNorm: "norm_q", keyNorm: "norm_k", out: "to_out.0", mlp: "ff"
    )
    txt = try stream(
      norm: "norm1_context", q: "add_q_proj", k: "add_k_proj", v: "add_v_proj", queryNorm: "norm_added_q",
      keyNorm: "norm_added_k", out: "to_add_out", mlp: "ff_context")
    attention = Attention(heads: heads, headWidth: headWidth, precision: parameters.precision)
  }

  var weightBytes: Int { img.weightBytes + txt.weightBytes }

  var matrices: [WeightMatrix] { txt.matrices + img.matrices }

  var modulations: [AdaLayerNorm] { [img.modulation, txt.modulation] }

  /// - Parameters:
  ///   - x: `image` `[image tokens, width]` and `text` `[text tokens, width]`
  ///   - rope: of all tokens, in the order of the joint attention
  ///   - visibility: which keys the joint attention sees
  ///   - isLast: whether no double block follows in the model
  func callAsFunction(
    image: ResidualStream, text: ResidualStream, vec: ModulationVector, rope: RotaryEmbedding,
    visibility: Attention.Visibility = .all, isLast: Bool, cache: any FeatureCache, probe: Probe?
  ) {
    let norm = LayerNorm(epsilon: 1e-6)
    let (imgMod, txtMod) = (img.modulation.branches(vec), txt.modulation.branches(vec))
    record(imgMod, of: image, "norm1", probe)
    record(txtMod, of: text, "norm1_context", probe)

    let joint = cache.features(attentionBranches) {
      let outputs = jointAttention(
        norm(image.all, imgMod[0].input), norm(text.all, txtMod[0].input), rope, visibility, cache, probe)
      return [outputs.image, outputs.text]
    }
    image.add(joint[0], gate: imgMod[0].gate)
    let imageBranch = Branch(index, .image, .mlp)
    let imageMLP = cache.feature(imageBranch, of: image) { rows in
      img.mlp(norm(rows, imgMod[1].input), epilogue: cache.epilogue(of: imageBranch))
    }
    image.add(imageMLP, gate: imgMod[1].gate)
    if isLast { cache.observe(.image, behind: index, image) }
    probe?("ff", imageMLP.sum)
    guard !cache.leavesTextOut else { return }

    text.add(joint[1], gate: txtMod[0].gate)
    let textBranch = Branch(index, .text, .mlp)
    let textMLP = cache.feature(textBranch, of: text) { rows in
      txt.mlp(norm(rows, txtMod[1].input), epilogue: cache.epilogue(of: textBranch))
    }
    text.add(textMLP, gate: txtMod[1].gate)
    if isLast { cache.observe(.text, behind: index, text) }
    probe?("ff_context", textMLP.sum)
  }

  private var attentionBranches: [Branch] { [Branch(index, .image, .attention), Branch(index, .text, .attention)] }

  /// What the attention takes of the picture, `[image tokens, width]`.
  func modulatedInput(image: Tensor, vec: ModulationVector) -> Tensor {
    LayerNorm(epsilon: 1e-6)(image, img.modulation.branches(vec)[0].input)
  }

  /// Attention of all tokens to all that are visible; the outputs behind the projections.
  private func jointAttention(
    _ image: Tensor, _ text: Tensor, _ rope: RotaryEmbedding, _ visibility: Attention.Visibility,
    _ cache: any FeatureCache, _ probe: Probe?
  ) -> (image: Tensor, text: Tensor) {
    let (heads, width) = (attention.heads, image.columns)
    let (imageRows, textRows) = (order.imageRows(image.rows, text.rows), order.textRows(image.rows, text.rows))
    var qkv = Tensor(uninitialized: [image.rows + text.rows, 3 * width])
    txt.qkv.apply(text, to: &qkv, firstRow: textRows.lowerBound)
    img.qkv.apply(image, to: &qkv, firstRow: imageRows.lowerBound)
    txt.queryNorm.apply(to: &qkv, rows: textRows, firstColumn: 0, heads: heads)
    txt.keyNorm.apply(to: &qkv, rows: textRows, firstColumn: width, heads: heads)
    img.queryNorm.apply(to: &qkv, rows: imageRows, firstColumn: 0, heads: heads)
    img.keyNorm.apply(to: &qkv, rows: imageRows, firstColumn: width, heads: heads)
    if let probe {
      probe("attn.norm_q", qkv.rows(imageRows).columns(0..<width))
      probe("attn.norm_added_k", qkv.rows(textRows).columns(width..<2 * width))
    }
    rope.apply(to: &qkv, firstColumn: 0, heads: heads)
    rope.apply(to: &qkv, firstColumn: width, heads: heads)
    cache.observeAttention(attentionBranches) {
      let received = attention.received(qkv, visibility: visibility)
      return [imageRows, textRows].map { received.reshaped([received.count, 1]).rows($0).reshaped([$0.count]) }
    }
    let out = attention(qkv, visibility: visibility)  // [all tokens, width]
    let outputs = (
      image: img.projection(out, rows: imageRows, epilogue: cache.epilogue(of: attentionBranches[0])),
      text: txt.projection(out, rows: textRows, epilogue: cache.epilogue(of: attentionBranches[1]))
    )
    probe?("attn.0", outputs.image)
    probe?("attn.1", outputs.text)
    return outputs
  }

  private func record(_ modulation: [BranchModulation], of x: ResidualStream, _ name: String, _ probe: Probe?) {
    guard let probe = probe?.module(name) else { return }
    probe("0", LayerNorm(epsilon: 1e-6)(x.all, modulation[0].input))
    probe("1", modulation[0].gate)
    probe("2", modulation[1].input.shift)
    probe("3", modulation[1].input.scale)
    probe("4", modulation[1].gate)
  }
}
