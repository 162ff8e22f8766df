import Autoencoders
import Conditioning
import FeatureCaching
import Tensors
import Transformers

/// The HunyuanVideo family as the pipeline sees it.
public struct HunyuanVideoModel: RenderModel {
  public let checkpoint: HunyuanVideoCheckpoint

  public init(_ checkpoint: HunyuanVideoCheckpoint) { self.checkpoint = checkpoint }

  public var family: String { "hunyuan" }
  public var path: String { checkpoint.path }
  public var defaults: RenderDefaults { checkpoint.defaults }
  public var takesGuidance: Bool { checkpoint.transformer.embedsGuidance }
  public var takesSecondPrompt: Bool { false }
  public var cachePreset: CacheSettings { .hunyuan }
  public var classLabels: ClassLabels? { nil }
  public var hasFixedSize: Bool { false }
  public var framesPerLatent: Int? { checkpoint.autoencoder.frameScale }
  public var maximumSteps: Int { RenderRequest.maximumSteps }
  public var sampler: String { "Euler" }
  public var scheduler: SchedulerChoice? { nil }
  public func with(_ scheduler: SchedulerChoice) throws -> (any RenderModel)? { nil }

  private var patch: Int { checkpoint.transformer.patchSize }

  public var sizeMultiple: Int { patch * checkpoint.autoencoder.scale }

  public func grid(width: Int, height: Int, frames: Int) -> TokenGrid {
    TokenGrid(
      frames: (frames - 1) / checkpoint.autoencoder.frameScale + 1, rows: height / sizeMultiple,
      columns: width / sizeMultiple)
  }

  public func checkTensors() throws { try checkpoint.checkTensors() }

  public func loadEncoder(_ precision: Precision) throws -> any SubjectEncoder {
    try checkpoint.loadTextEncoders(precision.ofSensitiveMaps)
  }

  public func loadTransformer(
    _ precision: Precision, blocks: BlockRange?, packed: (any PackedMatrices)?
  ) throws -> any DiffusionTransformer {
    try checkpoint.loadTransformer(precision, blocks: blocks, packed: packed)
  }

  public var isMappedFloat32: Bool { checkpoint.isMappedFloat32 }

  public func transformerShapes(_ precision: Precision, blocks: BlockRange?) throws -> any DiffusionTransformer {
    try checkpoint.transformerShapes(precision, blocks: blocks)
  }

  public func loadDecoder(_ precision: Precision) throws -> any LatentDecoder {
    VideoDecoder(decoder: try checkpoint.loadDecoder(precision.ofSensitiveMaps), patch: patch)
  }

  public func noise(
    _ grid: TokenGrid, rows: Int, _ generator: inout TorchGenerator, _ format: NoiseFormat
  ) -> Tensor {
    let shape = [
      checkpoint.autoencoder.latentChannels, grid.frames, patch * grid.rows, patch * grid.columns,
    ]
    let count = shape.reduce(1, *)
    return LatentPacking.pack(
      video: Tensor(generator.randn(rows * count, as: format)[..<count], shape: shape), patch: patch)
  }

  public func guidedColumns(_ channels: GuidedChannels) -> Int? { nil }

  public func schedule(steps: Int, grid: TokenGrid) -> any DenoisingSchedule {
    checkpoint.scheduler.schedule(steps: steps, imageTokens: grid.tokens, spacing: .towardsZero)
  }

  public func cost(_ grid: TokenGrid, textTokens: Int) -> StepCost {
    let transformer = checkpoint.transformer
    return StepCost(
      branches: transformer.branches(videoTokens: grid.tokens, textTokens: textTokens),
      outsideOfBranches: transformer.operationsOutsideOfBranches(videoTokens: grid.tokens, textTokens: textTokens),
      beforeSteps: transformer.operationsBeforeSteps(textTokens: textTokens),
      outputElements: grid.tokens * transformer.tokenChannels.output,
      imageTokens: grid.tokens, modulationOutputs: transformer.modulationOutputs)
  }

  /// At most: the last layers of Llama are in the file but not used.
  public func weightBytes(_ precision: Precision) -> WeightBytes {
    let width = precision.ofSensitiveMaps.weightBytes
    let counts = checkpoint.counts
    return WeightBytes(
      textEncoders: counts.textEncoders * width, transformer: counts.transformer * precision.weightBytes,
      decoder: counts.decoderBytes)
  }

  public func encodingBytes(textTokens: Int) -> Int {
    // The template before the prompt has some hundred tokens.
    checkpoint.llama.activationBytes(tokens: textTokens + 256)
  }

  public func decodingBytes(_ grid: TokenGrid, _ tiling: Tiling) -> Int {
    checkpoint.autoencoder.decodingBytes(
      frames: grid.frames, height: patch * grid.rows, width: patch * grid.columns, tiling: tiling)
  }
}
