import FeatureCaching
import Tensors

/// The diffusion transformer for classes of ImageNet (Peebles and Xie, arXiv 2212.09748): patches of latents with fixed
/// positions, blocks modulated by time and class. Source of names and order: diffusers' `dit_transformer_2d.py`.
public struct DiTTransformer: DiffusionTransformer {
  public let configuration: DiTConfiguration
  public let blocks: BlockRange
  fileprivate let embedders: [DiTEmbedder]
  /// Which of the embedders each of the blocks has.
  fileprivate let embedderOfBlock: [Int]
  fileprivate let patches: Patches
  fileprivate let loadedBlocks: [DiTBlock]
  fileprivate let head: Head?
  fileprivate let tables = ConditioningTables()

  public var layout: BlockLayout { configuration.layout }

  /// What makes hidden states of latents.
  fileprivate struct Patches: Sendable {
    let projection: Linear
    /// `[tokens, width]`
    let positions: Tensor
  }

  /// What only the last stage needs.
  fileprivate struct Head: Sendable {
    let modulation: AdaLayerNorm
    let projection: Linear
    /// Which of the embedders it has: that of the first block.
    let embedder: Int
  }

  /// Reads the parameters that the blocks of a range need; all blocks unless told otherwise. All read the
  /// embedding of patches, the last one the output too, with the first block's embedder.
  ///
  /// - Throws: `ParameterError` for a tensor that is missing or has another shape, and what is wrong with its file.
  public init(_ configuration: DiTConfiguration, _ parameters: Parameters, blocks: BlockRange? = nil) throws {
    let blocks = blocks ?? 0..<configuration.blockCount
    precondition(blocks.lowerBound >= 0 && blocks.upperBound <= configuration.blockCount, "no such blocks")
    let (width, grid) = (configuration.width, configuration.grid)
    let patch = configuration.patchSize * configuration.patchSize
    self.configuration = configuration
    self.blocks = blocks
    patches = Patches(
      projection: try Self.patchProjection(parameters.sensitive.module("pos_embed.proj"), configuration),
      positions: SinusoidalPositions.embedding(rows: grid.rows, columns: grid.columns, width: width))
    var embedders = DiTEmbedders()
    embedderOfBlock = try blocks.map { try embedders.add(block: $0, parameters, configuration) }
    loadedBlocks = try blocks.map { index in
      try DiTBlock(parameters.module("transformer_blocks.\(index)"), configuration, index: index)
    }
    head =
      blocks.upperBound == configuration.blockCount
      ? Head(
        modulation: try AdaLayerNorm(
          parameters.sensitive, named: "proj_out_1", inputs: width, width: width, parts: 2),
        projection: try Linear(
          parameters.sensitive.module("proj_out_2"), inputs: width, outputs: patch * configuration.outputChannels),
        embedder: try embedders.add(block: 0, parameters, configuration))
      : nil
    self.embedders = embedders.distinct
  }

  /// A convolution whose stride is its size: a product with each patch, channels × rows × columns.
  private static func patchProjection(_ parameters: Parameters, _ configuration: DiTConfiguration) throws -> Linear {
    let (width, channels, side) = (configuration.width, configuration.inputChannels, configuration.patchSize)
    let kernel = try parameters.stored("weight", shape: [width, channels, side, side])
    return Linear(
      weight: try parameters.weightMatrix(
        joining: [kernel.reshaped([width, channels * side * side])], named: [parameters.prefix + "weight"]),
      bias: try parameters.tensor("bias", shape: [width]))
  }

  public var weightBytes: Int {
    let ends =
      patches.projection.weightBytes
      + (head.map { $0.modulation.weightBytes + $0.projection.weightBytes } ?? 0)
    return ends + embedders.reduce(0) { $0 + $1.weightBytes } + loadedBlocks.reduce(0) { $0 + $1.weightBytes }
  }

  public func matrices(ofBlock block: Int) -> [WeightMatrix] { loadedBlocks[block - blocks.lowerBound].matrices }

  public func modulationOutputs(ofBlock block: Int) -> Int { configuration.modulationOutputs(ofBlock: block) }

  public func promptShapes(textTokens: Int) -> (text: [Int], pooled: [Int])? { nil }

  public var latentChannels: Int { configuration.patchSize * configuration.patchSize * configuration.inputChannels }
  /// As many: what a model estimates of its noise's variance is left away.
  public var outputChannels: Int { latentChannels }

  public func stateShapes(before block: Int, of inputs: SampleInputs) -> [TokenStream: [Int]] {
    precondition((0...blockCount).contains(block), "there is no block \(block) of \(blockCount)")
    return [.image: [inputs.grid.tokens, configuration.width]]
  }

  public func makeSample(_ inputs: SampleInputs, timesteps: [Float]) throws -> any TransformerSample {
    try DiTSample(self, inputs, timesteps: timesteps)
  }

  public func run(_ passes: inout [SamplePass], blocks: BlockRange, beforeBlock: (_ block: Int) throws -> Void) rethrows
  {
    let streams = passes.indices.map { passes[$0].state.take(.image, passes[$0].cache) }
    for ((index, block), embedder) in zip(zip(self.blocks, loadedBlocks), embedderOfBlock) where blocks.contains(index)
    {
      try beforeBlock(index)
      let name = "transformer_blocks.\(index)"
      block(
        zip(streams, passes).map { x, pass in
          DiTBlock.Pass(
            x: x, vec: pass.conditioning.vector(embedder), cache: pass.cache, probe: pass.probe?.module(name))
        }, isLast: index == blockCount - 1)
      for (x, pass) in zip(streams, passes) { pass.probe?(name, x.all) }
    }
    for (place, x) in streams.enumerated() {
      passes[place].state = BlockState([.image: x], isDone: blocks.upperBound == blockCount)
    }
  }

  /// The maps of adaLN, with the embedder whose vector each takes.
  fileprivate var modulations: [ConditioningTable.Map] {
    zip(loadedBlocks, embedderOfBlock).map { ($0.modulation, $1) } + (head.map { [($0.modulation, $0.embedder)] } ?? [])
  }
}

/// What modulates the blocks of a sample.
private struct DiTVectors: Sendable {
  let model: DiTTransformer
  /// The class as each of the embedders has it, `[1, width]`.
  let labels: [Tensor]

  /// `[embedders, width]`
  func callAsFunction(timestep: Float, probe: Probe?) -> Tensor {
    let vectors = zip(model.embedders, labels).map { embedder, label in embedder.embedded(timestep: timestep) + label }
    if let probe {
      for (block, embedder) in zip(model.blocks, model.embedderOfBlock) {
        probe("transformer_blocks.\(block).norm1.emb", vectors[embedder])
      }
    }
    return Tensor.concatenated(rows: vectors).applying(.silu)
  }
}

private struct DiTSample: TransformerSample {
  private let model: DiTTransformer
  private let vectors: DiTVectors
  private let table: ConditioningTable

  init(_ model: DiTTransformer, _ inputs: SampleInputs, timesteps: [Float]) throws {
    let configuration = model.configuration
    guard case .label(let label) = inputs.condition else {
      throw SampleError(description: "A DiT takes a class, not a prompt.")
    }
    guard label.map((0..<configuration.classes).contains) ?? true else {
      throw SampleError(
        description:
          "The class \(label ?? 0) is none of the transformer's, which are 0 to \(configuration.classes - 1).")
    }
    guard inputs.grid == configuration.grid else {
      throw SampleError(
        description: "The transformer has positions for \(configuration.grid.rows) x \(configuration.grid.columns) "
          + "tokens, not for \(inputs.grid.rows) x \(inputs.grid.columns).")
    }
    let vectors = DiTVectors(
      model: model, labels: try model.embedders.map { try $0.embedded(label: label ?? configuration.classes) })
    self.model = model
    self.vectors = vectors
    table = model.tables.table(timesteps: timesteps) { vectors(timestep: $0, probe: nil) }
  }

  func conditioning(timestep: Float, probe: Probe?) -> Conditioning {
    guard let probe else { return table.conditioning(timestep: timestep, maps: model.modulations) }
    return Conditioning(vectors(timestep: timestep, probe: probe))
  }

  func embed(_ latents: Tensor, conditioning: Conditioning, leavesTextOut: Bool, probe: Probe?) -> BlockState {
    // [tokens, patch² · channels] → [tokens, width]
    let x = model.patches.projection(latents) + model.patches.positions
    probe?("pos_embed", x)
    return BlockState([.image: x])
  }

  func run(
    _ state: inout BlockState, blocks: BlockRange, conditioning: Conditioning, cache: any FeatureCache, probe: Probe?,
    beforeBlock: (_ block: Int) throws -> Void
  ) rethrows {
    var passes = [SamplePass(sample: self, state: state, conditioning: conditioning, cache: cache, probe: probe)]
    state = BlockState([:])  // so that it can be changed in place
    try model.run(&passes, blocks: blocks, beforeBlock: beforeBlock)
    state = passes[0].state
  }

  func pass(_ state: inout BlockState, over blocks: BlockRange) {}

  func modulatedInput(_ state: BlockState, conditioning: Conditioning) -> Tensor {
    guard let block = model.loadedBlocks.first, let embedder = model.embedderOfBlock.first,
      let x = state.streams[.image]
    else { preconditionFailure("only the first stage has the first block") }
    return block.modulatedInput(x, vec: conditioning.vector(embedder))
  }

  func project(_ state: BlockState, conditioning: Conditioning, probe: Probe?) -> Tensor {
    guard let head = model.head, let x = state.streams[.image] else {
      preconditionFailure("only the last stage projects")
    }
    let vectors = head.modulation.vectors(conditioning.vector(head.embedder))  // shift first
    let norm = LayerNorm(epsilon: 1e-6)
    let normed = norm(x, Modulation(shift: vectors[0], scale: vectors[1]))
    let out = head.projection(normed)  // [tokens, patch² · output channels]
    if let probe {
      let joined = Tensor.concatenated(rows: vectors.map { $0.reshaped([1, $0.count]) })
      probe("proj_out_1", joined.reshaped([1, joined.count]))
      probe("norm_out", norm(x))
      probe("proj_out_2", out)
    }
    return noise(out)
  }

  /// The estimate of the noise alone, without that of its variance, in the order of the latents:
  /// (row, column, output channel) → (channel, row, column).
  private func noise(_ out: Tensor) -> Tensor {
    let configuration = model.configuration
    let (channels, outputs) = (configuration.inputChannels, configuration.outputChannels)
    let patch = configuration.patchSize * configuration.patchSize
    var noise = Tensor(uninitialized: [out.rows, channels * patch])
    noise.withUnsafeMutableElements { target in
      out.withUnsafeElements { source in
        for token in 0..<out.rows {
          for channel in 0..<channels {
            for place in 0..<patch {
              target[(token * channels + channel) * patch + place] = source[(token * patch + place) * outputs + channel]
            }
          }
        }
      }
    }
    return noise
  }
}
