import FeatureCaching
import Tensors

/// The FLUX transformer (Black Forest Labs, 2024): joint attention of text and picture with rotary positions, adaLN
/// modulation by time, guidance and a pooled prompt. Source of names and order: diffusers' `transformer_flux.py`.
public struct FluxTransformer: DiffusionTransformer {
  public let configuration: FluxConfiguration
  public let blocks: BlockRange
  fileprivate let imageEmbedder: Linear
  /// Only the first stage needs it.
  fileprivate let textEmbedder: Linear?
  fileprivate let timestepEmbedder: VectorEmbedder
  fileprivate let guidanceEmbedder: VectorEmbedder?
  fileprivate let pooledEmbedder: VectorEmbedder
  fileprivate let jointBlocks: JointBlocks
  fileprivate let tables = ConditioningTables()

  public var layout: BlockLayout { configuration.layout }

  /// Reads the parameters that the blocks of a range need; all blocks unless told otherwise. All read the
  /// embedder of the picture; the first range reads that of the text too, the last one the output.
  ///
  /// - Throws: `ParameterError` for a tensor that is missing or has another shape, and what is wrong with its file.
  public init(_ configuration: FluxConfiguration, _ parameters: Parameters, blocks: BlockRange? = nil) throws {
    let blocks = blocks ?? 0..<configuration.blockCount
    precondition(blocks.lowerBound >= 0 && blocks.upperBound <= configuration.blockCount, "no such blocks")
    let width = configuration.width
    self.configuration = configuration
    self.blocks = blocks
    let embed = parameters.sensitive.module("time_text_embed")
    timestepEmbedder = try VectorEmbedder(embed.module("timestep_embedder"), inputs: 256, width: width)
    guidanceEmbedder =
      configuration.embedsGuidance
      ? try VectorEmbedder(embed.module("guidance_embedder"), inputs: 256, width: width) : nil
    pooledEmbedder = try VectorEmbedder(
      embed.module("text_embedder"), inputs: configuration.pooledWidth, width: width)
    imageEmbedder = try Linear(
      parameters.sensitive.module("x_embedder"), inputs: configuration.inputChannels, outputs: width)
    textEmbedder =
      blocks.lowerBound == 0
      ? try Linear(
        parameters.sensitive.module("context_embedder"), inputs: configuration.textWidth, outputs: width) : nil
    jointBlocks = try JointBlocks(
      parameters,
      JointBlocks.Shape(
        order: .textFirst, doubleBlocks: configuration.doubleBlocks, singleBlocks: configuration.singleBlocks,
        heads: configuration.heads, headWidth: configuration.headWidth, mlpWidth: 4 * width,
        outputChannels: configuration.outputChannels),
      blocks: blocks)
  }

  public var weightBytes: Int {
    let vectors = timestepEmbedder.weightBytes + pooledEmbedder.weightBytes + (guidanceEmbedder?.weightBytes ?? 0)
    return vectors + imageEmbedder.weightBytes + (textEmbedder?.weightBytes ?? 0) + jointBlocks.weightBytes
  }

  public func matrices(ofBlock block: Int) -> [WeightMatrix] { jointBlocks.matrices(ofBlock: block) }

  public func modulationOutputs(ofBlock block: Int) -> Int { configuration.modulationOutputs(ofBlock: block) }

  public func promptShapes(textTokens: Int) -> (text: [Int], pooled: [Int])? {
    ([textTokens, configuration.textWidth], [configuration.pooledWidth])
  }

  public var latentChannels: Int { configuration.inputChannels }
  public var outputChannels: Int { configuration.outputChannels }

  /// Text and picture are joined by the first single block, not in front of it.
  public func stateShapes(before block: Int, of inputs: SampleInputs) -> [TokenStream: [Int]] {
    precondition((0...blockCount).contains(block), "there is no block \(block) of \(blockCount)")
    let (image, text, width) = (inputs.grid.tokens, inputs.condition.textTokens, configuration.width)
    return block <= configuration.doubleBlocks
      ? [.image: [image, width], .text: [text, width]] : [.joint: [text + image, width]]
  }

  public func makeSample(_ inputs: SampleInputs, timesteps: [Float]) throws -> any TransformerSample {
    try FluxSample(self, inputs, timesteps: timesteps)
  }
}

/// What modulates the blocks of a sample.
private struct FluxVector: Sendable {
  let model: FluxTransformer
  /// `[1, width]`
  let pooled: Tensor
  let guidance: Float?

  /// `[1, width]`
  func callAsFunction(timestep: Float, probe: Probe?) -> Tensor {
    // The pipeline divides by 1000 and the model multiplies again; in float32 that is not always the same number.
    var vec = model.timestepEmbedder(Sinusoid.embedding(timestep / 1000 * 1000))
    probe?("time_text_embed.timestep_embedder", vec)
    if let guidance, let embedder = model.guidanceEmbedder {
      let embedded = embedder(Sinusoid.embedding(guidance * 1000))
      probe?("time_text_embed.guidance_embedder", embedded)
      vec += embedded
    }
    probe?("time_text_embed.text_embedder", pooled)
    vec += pooled
    probe?("time_text_embed", vec)
    return vec.applying(.silu)
  }
}

private struct FluxSample: TransformerSample {
  private let model: FluxTransformer
  private let tokens: JointBlocks.Tokens
  /// The prompt in the blocks' width, `[text tokens, width]`; of the first stage.
  private let text: Tensor?
  private let vector: FluxVector
  private let table: ConditioningTable

  init(_ model: FluxTransformer, _ inputs: SampleInputs, timesteps: [Float]) throws {
    let configuration = model.configuration
    guard case .text(let text, let pooled, _) = inputs.condition else {
      throw SampleError(description: "A FLUX transformer takes a prompt, not a class.")
    }
    guard text.columns == configuration.textWidth else {
      throw SampleError(
        description: "The text encoder gives hidden states of width \(text.columns), but the transformer "
          + "takes \(configuration.textWidth) (joint_attention_dim).")
    }
    guard pooled.count == configuration.pooledWidth else {
      throw SampleError(
        description: "The text encoder gives a pooled vector of width \(pooled.count), but the transformer "
          + "takes \(configuration.pooledWidth) (pooled_projection_dim).")
    }
    self.model = model
    self.text = model.textEmbedder?(text)
    let vector = FluxVector(
      model: model, pooled: model.pooledEmbedder(pooled),
      guidance: configuration.embedsGuidance ? inputs.guidance ?? 1 : nil)
    self.vector = vector
    table = model.tables.table(timesteps: timesteps) { vector(timestep: $0, probe: nil) }
    let textPositions = [[Float]](repeating: [0, 0, 0], count: text.rows)
    tokens = JointBlocks.Tokens(
      image: inputs.grid.tokens, text: text.rows,
      rope: RotaryEmbedding(
        positions: textPositions + inputs.grid.positions, axes: configuration.ropeAxes, theta: 10000),
      visibility: .all)
  }

  func conditioning(timestep: Float, probe: Probe?) -> Conditioning {
    guard let probe else { return table.conditioning(timestep: timestep, maps: model.jointBlocks.modulations) }
    return Conditioning(vector(timestep: timestep, probe: probe))
  }

  func embed(_ latents: Tensor, conditioning: Conditioning, leavesTextOut: Bool, probe: Probe?) -> BlockState {
    precondition(text != nil || leavesTextOut, "only the first stage knows the text")
    let image = model.imageEmbedder(latents)  // [image tokens, channels] → [image tokens, width]
    let text = text ?? Tensor(zeros: [tokens.text, image.columns])
    if let probe {
      probe("x_embedder", image)
      probe("context_embedder", text)
      probe("pos_embed.0", tokens.rope.cosine)
      probe("pos_embed.1", tokens.rope.sine)
    }
    return BlockState([.image: image, .text: text])
  }

  func run(
    _ state: inout BlockState, blocks: BlockRange, conditioning: Conditioning, cache: any FeatureCache, probe: Probe?,
    beforeBlock: (_ block: Int) throws -> Void
  ) rethrows {
    try model.jointBlocks.run(
      &state, blocks: blocks, of: tokens, vec: conditioning.vector(0), cache: cache, probe: probe,
      beforeBlock: beforeBlock)
  }

  func pass(_ state: inout BlockState, over blocks: BlockRange) { model.jointBlocks.pass(&state, over: blocks) }

  func modulatedInput(_ state: BlockState, conditioning: Conditioning) -> Tensor {
    model.jointBlocks.modulatedInput(state, vec: conditioning.vector(0))
  }

  func project(_ state: BlockState, conditioning: Conditioning, probe: Probe?) -> Tensor {
    model.jointBlocks.project(state, of: tokens, vec: conditioning.vector(0), probe: probe)
  }
}
