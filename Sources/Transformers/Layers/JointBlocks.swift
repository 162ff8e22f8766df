import FeatureCaching
import Tensors

/// The blocks of FLUX and HunyuanVideo, or some of them: first those in which picture and text have weights of their own,
/// then those with a single stream, and behind the last the output.
struct JointBlocks: Sendable {
  private let blocks: BlockRange
  private let order: JointOrder
  /// Of the whole model.
  private let doubleBlocks: Int
  private let blockCount: Int
  private let double: [DoubleStreamBlock]
  private let single: [SingleStreamBlock]
  private let head: Head?

  /// The sizes of the whole model.
  struct Shape {
    let order: JointOrder
    let doubleBlocks: Int
    let singleBlocks: Int
    let heads: Int
    let headWidth: Int
    /// Inside of the MLPs.
    let mlpWidth: Int
    /// The numbers of a token at the output.
    let outputChannels: Int

    var blockCount: Int { doubleBlocks + singleBlocks }
  }

  /// What only the last stage needs.
  private struct Head: Sendable {
    let modulation: AdaLayerNorm
    let projection: Linear
  }

  /// What the tokens of a sample are.
  struct Tokens: Sendable {
    let image: Int
    let text: Int
    /// The positions of all tokens, in the order of the joint attention.
    let rope: RotaryEmbedding
    let visibility: Attention.Visibility
  }

  /// - Throws: `ParameterError`.
  init(_ parameters: Parameters, _ shape: Shape, blocks: BlockRange) throws {
    let width = shape.heads * shape.headWidth
    let first = shape.doubleBlocks
    self.blocks = blocks
    order = shape.order
    doubleBlocks = first
    blockCount = shape.blockCount
    double = try blocks.clamped(to: 0..<first).map { index in
      try DoubleStreamBlock(
        parameters.module("transformer_blocks.\(index)"), index: index, order: shape.order, heads: shape.heads,
        headWidth: shape.headWidth, mlpWidth: shape.mlpWidth)
    }
    single = try blocks.clamped(to: first..<shape.blockCount).map { index in
      try SingleStreamBlock(
        parameters.module("single_transformer_blocks.\(index - first)"), index: index, heads: shape.heads,
        headWidth: shape.headWidth, mlpWidth: shape.mlpWidth)
    }
    let output = parameters.sensitive
    head =
      blocks.upperBound == shape.blockCount
      ? Head(
        modulation: try AdaLayerNorm(output.module("norm_out"), inputs: width, width: width, parts: 2),
        projection: try Linear(output.module("proj_out"), inputs: width, outputs: shape.outputChannels))
      : nil
  }

  var weightBytes: Int {
    double.reduce(0) { $0 + $1.weightBytes } + single.reduce(0) { $0 + $1.weightBytes }
      + (head.map { $0.modulation.weightBytes + $0.projection.weightBytes } ?? 0)
  }

  func matrices(ofBlock block: Int) -> [WeightMatrix] {
    block < doubleBlocks
      ? double[block - blocks.lowerBound].matrices
      : single[block - max(doubleBlocks, blocks.lowerBound)].matrices
  }

  /// The maps of adaLN; all take the first vector.
  var modulations: [ConditioningTable.Map] {
    let norms = double.flatMap(\.modulations) + single.map(\.modulation)
    return (norms + (head.map { [$0.modulation] } ?? [])).map { ($0, 0) }
  }

  /// Some of the blocks, as ``TransformerSample/run(_:blocks:conditioning:cache:probe:beforeBlock:)`` has it.
  func run(
    _ state: inout BlockState, blocks: BlockRange, of tokens: Tokens, vec: ModulationVector, cache: any FeatureCache,
    probe: Probe?, beforeBlock: (_ block: Int) throws -> Void
  ) rethrows {
    let isDone = blocks.upperBound == blockCount
    var streams: (image: ResidualStream, text: ResidualStream)?
    if blocks.lowerBound < doubleBlocks {
      let (image, text) = (state.take(.image, cache), state.take(.text, cache))
      streams = (image, text)
      for (index, block) in zip(self.blocks, double) where blocks.contains(index) {
        try beforeBlock(index)
        let name = "transformer_blocks.\(index)"
        block(
          image: image, text: text, vec: vec, rope: tokens.rope, visibility: tokens.visibility,
          isLast: index == doubleBlocks - 1, cache: cache, probe: probe?.module(name))
        if let probe {
          for (place, stream) in order.sorted(image: image, text: text).enumerated() {
            probe("\(name).\(place)", stream.all)
          }
        }
      }
    }
    guard blocks.upperBound > doubleBlocks else {
      if let streams { state = BlockState([.image: streams.image, .text: streams.text], isDone: isDone) }
      return
    }
    let imageRows = order.imageRows(tokens.image, tokens.text)
    let textRows = order.textRows(tokens.image, tokens.text)
    let joint = joined(&state, streams, cache, summedRows: cache.leavesTextOut ? imageRows : nil)
    for (index, block) in zip(max(self.blocks.lowerBound, doubleBlocks)..., single) where blocks.contains(index) {
      try beforeBlock(index)
      let name = "single_transformer_blocks.\(index - doubleBlocks)"
      block(
        joint, vec: vec, rope: tokens.rope, visibility: tokens.visibility, cache: cache, probe: probe?.module(name))
      if let probe {
        probe(name, joint.all)
        for (place, rows) in order.sorted(image: imageRows, text: textRows).enumerated() {
          probe("\(name).\(place)", joint.all.rows(rows))
        }
      }
    }
    state = BlockState([.joint: joint], isDone: isDone)
  }

  /// The stream of the single blocks: the first of them joins picture and text.
  ///
  /// - Parameter streams: as they come out of double blocks; nil if they are in the state.
  private func joined(
    _ state: inout BlockState, _ streams: (image: ResidualStream, text: ResidualStream)?, _ cache: any FeatureCache,
    summedRows: Range<Int>?
  ) -> ResidualStream {
    if streams == nil, state.streams[.joint] != nil { return state.take(.joint, cache, summedRows: summedRows) }
    let (image, text) = streams ?? (state.take(.image, cache), state.take(.text, cache))
    return ResidualStream(joining: order.sorted(image: image, text: text), summedRows: summedRows)
  }

  /// The first single block joins the streams.
  func pass(_ state: inout BlockState, over blocks: BlockRange) {
    guard blocks.upperBound > doubleBlocks, state.streams[.joint] == nil else { return }
    let (image, text) = (state.take(.image), state.take(.text))
    state = BlockState([.joint: Tensor.concatenated(rows: order.sorted(image: image, text: text))])
  }

  /// What the first block's attention takes of the picture; of all tokens where it has a single stream.
  func modulatedInput(_ state: BlockState, vec: ModulationVector) -> Tensor {
    if let block = double.first, let image = state.streams[.image] {
      return block.modulatedInput(image: image, vec: vec)
    }
    var joint = state
    pass(&joint, over: 0..<1)
    guard let block = single.first else { preconditionFailure("only the first stage has the first block") }
    return block.modulatedInput(joint.take(.joint), vec: vec)
  }

  /// Hidden states behind the last block → `[image tokens, output channels]`
  func project(_ state: BlockState, of tokens: Tokens, vec: ModulationVector, probe: Probe?) -> Tensor {
    guard let head else { preconditionFailure("only the last stage projects") }
    let image = state.streams[.image]
    guard let hidden = image ?? state.streams[.joint] else { preconditionFailure("the state has no picture") }
    let rows = image == nil ? order.imageRows(tokens.image, tokens.text) : 0..<hidden.rows
    let vectors = head.modulation.vectors(vec)  // scale first here (AdaLayerNormContinuous)
    let normed = LayerNorm(epsilon: 1e-6)(
      hidden, rows: rows, Modulation(shift: vectors[1], scale: vectors[0]))
    let out = head.projection(normed)
    probe?("norm_out", normed)
    probe?("proj_out", out)
    return out
  }
}
