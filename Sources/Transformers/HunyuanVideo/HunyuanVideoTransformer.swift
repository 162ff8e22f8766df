import FeatureCaching
import Tensors

/// The HunyuanVideo transformer (Tencent, arXiv 2412.03603): joint attention of video and text, where rotary positions
/// turn the video alone, behind a refiner of the prompt. Source of names and order: diffusers'
/// `transformer_hunyuan_video.py`.
public struct HunyuanVideoTransformer: DiffusionTransformer {
  public let configuration: HunyuanVideoConfiguration
  public let blocks: BlockRange
  fileprivate let videoEmbedder: Linear
  /// Only the first stage needs it.
  fileprivate let refiner: TokenRefiner?
  fileprivate let timestepEmbedder: VectorEmbedder
  fileprivate let guidanceEmbedder: VectorEmbedder?
  fileprivate let pooledEmbedder: VectorEmbedder
  fileprivate let jointBlocks: JointBlocks
  fileprivate let tables = ConditioningTables()

  public var layout: BlockLayout { configuration.layout }

  /// Reads the parameters that the blocks of a range need; all blocks unless told otherwise. All read the
  /// embedder of the video; the first range reads the refiner too, the last one the output.
  ///
  /// - Throws: `ParameterError` for a tensor that is missing or has another shape, and what is wrong with its file.
  public init(
    _ configuration: HunyuanVideoConfiguration, _ parameters: Parameters, blocks: BlockRange? = nil
  ) throws {
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
    videoEmbedder = try Self.videoEmbedder(parameters.sensitive.module("x_embedder.proj"), configuration)
    refiner =
      blocks.lowerBound == 0
      ? try TokenRefiner(parameters.sensitive.module("context_embedder"), configuration) : nil
    jointBlocks = try JointBlocks(
      parameters,
      JointBlocks.Shape(
        order: .imageFirst, doubleBlocks: configuration.doubleBlocks, singleBlocks: configuration.singleBlocks,
        heads: configuration.heads, headWidth: configuration.headWidth, mlpWidth: configuration.mlpWidth,
        outputChannels: configuration.tokenChannels.output),
      blocks: blocks)
  }

  /// A convolution whose windows do not overlap is a linear map of tokens ordered by channel, row, column.
  private static func videoEmbedder(
    _ parameters: Parameters, _ configuration: HunyuanVideoConfiguration
  ) throws -> Linear {
    let (patch, inputs) = (configuration.patchSize, configuration.tokenChannels.input)
    let weight = try parameters.stored(
      "weight", shape: [configuration.width, configuration.inputChannels, 1, patch, patch])
    return Linear(
      weight: try parameters.weightMatrix(
        joining: [weight.reshaped([configuration.width, inputs])], named: [parameters.prefix + "weight"]),
      bias: try parameters.tensor("bias", shape: [configuration.width]))
  }

  public var weightBytes: Int {
    let vectors = timestepEmbedder.weightBytes + pooledEmbedder.weightBytes + (guidanceEmbedder?.weightBytes ?? 0)
    return vectors + videoEmbedder.weightBytes + (refiner?.weightBytes ?? 0) + jointBlocks.weightBytes
  }

  public func matrices(ofBlock block: Int) -> [WeightMatrix] { jointBlocks.matrices(ofBlock: block) }

  public func modulationOutputs(ofBlock block: Int) -> Int { configuration.modulationOutputs(ofBlock: block) }

  public func promptShapes(textTokens: Int) -> (text: [Int], pooled: [Int])? {
    ([textTokens, configuration.textWidth], [configuration.pooledWidth])
  }

  public var latentChannels: Int { configuration.tokenChannels.input }
  public var outputChannels: Int { configuration.tokenChannels.output }

  /// Video and text are joined by the first single block, not in front of it.
  public func stateShapes(before block: Int, of inputs: SampleInputs) -> [TokenStream: [Int]] {
    precondition((0...blockCount).contains(block), "there is no block \(block) of \(blockCount)")
    let (video, text, width) = (inputs.grid.tokens, inputs.condition.textTokens, configuration.width)
    return block <= configuration.doubleBlocks
      ? [.image: [video, width], .text: [text, width]] : [.joint: [video + text, width]]
  }

  public func makeSample(_ inputs: SampleInputs, timesteps: [Float]) throws -> any TransformerSample {
    try HunyuanVideoSample(self, inputs, timesteps: timesteps)
  }
}

/// What modulates the blocks and the refiner of a sample.
private struct HunyuanVideoVectors: Sendable {
  let model: HunyuanVideoTransformer
  /// Of the first stage.
  let prompt: TokenRefiner.Prompt?
  /// `[1, width]`
  let pooled: Tensor
  let guidance: Float?

  /// One vector for the blocks and, on the first stage, one for the refiner below it.
  func callAsFunction(timestep: Float, probe: Probe?) -> Tensor {
    var vec = model.timestepEmbedder(Sinusoid.embedding(timestep)) + pooled  // [1, width]
    if let guidance, let embedder = model.guidanceEmbedder { vec += embedder(Sinusoid.embedding(guidance)) }
    probe?("time_text_embed", vec)
    vec.apply(.silu)
    guard let prompt, let refiner = model.refiner else { return vec }
    let refining = refiner.conditioning(prompt, timestep: timestep, probe: probe?.module("context_embedder"))
    return Tensor.concatenated(rows: [vec, refining])  // [2, width]
  }
}

private struct HunyuanVideoSample: TransformerSample {
  private let model: HunyuanVideoTransformer
  /// Of the first stage.
  private let prompt: TokenRefiner.Prompt?
  private let vectors: HunyuanVideoVectors
  private let tokens: JointBlocks.Tokens
  private let table: ConditioningTable

  init(_ model: HunyuanVideoTransformer, _ inputs: SampleInputs, timesteps: [Float]) throws {
    let configuration = model.configuration
    guard case .text(let text, let pooled, let validTokens) = inputs.condition else {
      throw SampleError(description: "A HunyuanVideo transformer takes a prompt, not a class.")
    }
    for (name, width, key, wanted) in [
      ("hidden states", text.columns, "text_embed_dim", configuration.textWidth),
      ("a pooled vector", pooled.count, "pooled_projection_dim", configuration.pooledWidth),
    ] where width != wanted {
      throw SampleError(
        description: "The text encoder gives \(name) of width \(width), but the transformer takes \(wanted) (\(key)).")
    }
    let valid = validTokens ?? text.rows
    guard (1...max(1, text.rows)).contains(valid), text.rows > 0 else {
      throw SampleError(description: "The prompt has \(valid) tokens of \(text.rows), but at least one is needed.")
    }
    self.model = model
    let prompt = model.refiner?.prompt(text, validTokens: valid)
    let vectors = HunyuanVideoVectors(
      model: model, prompt: prompt, pooled: model.pooledEmbedder(pooled),
      // The pipeline hands over 1000 times what the user gives.
      guidance: configuration.embedsGuidance ? (inputs.guidance ?? 1) * 1000 : nil)
    (self.prompt, self.vectors) = (prompt, vectors)
    table = model.tables.table(timesteps: timesteps) { vectors(timestep: $0, probe: nil) }
    // Text has no positions: at the origin the rotation changes nothing.
    let textPositions = [[Float]](repeating: [0, 0, 0], count: text.rows)
    tokens = JointBlocks.Tokens(
      image: inputs.grid.tokens, text: text.rows,
      rope: RotaryEmbedding(
        positions: inputs.grid.positions + textPositions, axes: configuration.ropeAxes,
        theta: configuration.ropeTheta, frequenciesInFloat64: false),
      // All but the padding of the text.
      visibility: .first(inputs.grid.tokens + valid))
  }

  func conditioning(timestep: Float, probe: Probe?) -> Conditioning {
    guard let probe else { return table.conditioning(timestep: timestep, maps: model.jointBlocks.modulations) }
    return Conditioning(vectors(timestep: timestep, probe: probe))
  }

  func embed(_ latents: Tensor, conditioning: Conditioning, leavesTextOut: Bool, probe: Probe?) -> BlockState {
    let video = model.videoEmbedder(latents)  // [video tokens, patch² · channels] → [video tokens, width]
    let text: Tensor  // [text tokens, width]
    if leavesTextOut {
      text = Tensor(zeros: [tokens.text, video.columns])
    } else {
      guard let prompt, let refiner = model.refiner else { preconditionFailure("only the first stage knows the text") }
      text = refiner(prompt, conditioning: conditioning.vector(1), probe: probe?.module("context_embedder"))
    }
    if let probe {
      probe("x_embedder", video)
      probe("context_embedder", text)
      probe("rope.0", tokens.rope.cosine.rows(0..<tokens.image))
      probe("rope.1", tokens.rope.sine.rows(0..<tokens.image))
    }
    return BlockState([.image: video, .text: text])
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
