import Autoencoders
import Conditioning
import FeatureCaching
import Tensors
import Transformers

/// The FLUX family as the pipeline sees it.
public struct FluxModel: RenderModel {
  public let checkpoint: FluxCheckpoint

  public init(_ checkpoint: FluxCheckpoint) { self.checkpoint = checkpoint }

  public var family: String { "flux" }
  public var path: String { checkpoint.path }
  public var defaults: RenderDefaults { checkpoint.defaults }
  public var takesGuidance: Bool { checkpoint.transformer.embedsGuidance }
  public var cachePreset: CacheSettings { .flux }
  public var classLabels: ClassLabels? { nil }
  public var hasFixedSize: Bool { false }
  public var maximumSteps: Int { RenderRequest.maximumSteps }
  public var sampler: String { "Euler" }
  public var scheduler: SchedulerChoice? { nil }
  public func with(_ scheduler: SchedulerChoice) throws -> (any RenderModel)? { nil }

  /// A token is a patch of 2 × 2 latents.
  public var sizeMultiple: Int { 2 * checkpoint.autoencoder.scale }

  public func grid(width: Int, height: Int, frames: Int) -> TokenGrid {
    TokenGrid(rows: height / sizeMultiple, columns: width / sizeMultiple)
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
    PatchDecoder(decoder: try checkpoint.loadDecoder(precision.ofSensitiveMaps), patch: 2)
  }

  public func noise(
    _ grid: TokenGrid, rows: Int, _ generator: inout TorchGenerator, _ format: NoiseFormat
  ) -> Tensor {
    LatentPacking.noise(
      [checkpoint.autoencoder.latentChannels, 2 * grid.rows, 2 * grid.columns], rows: rows, &generator, format)
  }

  public func guidedColumns(_ channels: GuidedChannels) -> Int? { nil }

  public func schedule(steps: Int, grid: TokenGrid) -> any DenoisingSchedule {
    checkpoint.scheduler.schedule(steps: steps, imageTokens: grid.tokens)
  }

  public func cost(_ grid: TokenGrid, textTokens: Int) -> StepCost {
    StepCost(
      branches: checkpoint.transformer.branches(imageTokens: grid.tokens, textTokens: textTokens),
      outsideOfBranches: checkpoint.transformer.operationsOutsideOfBranches(
        imageTokens: grid.tokens),
      beforeSteps: checkpoint.transformer.operationsBeforeSteps(textTokens: textTokens),
      outputElements: grid.tokens * checkpoint.transformer.outputChannels,
      imageTokens: grid.tokens, modulationOutputs: checkpoint.transformer.modulationOutputs)
  }

  public func weightBytes(_ precision: Precision) -> WeightBytes {
    let width = precision.ofSensitiveMaps.weightBytes
    let counts = checkpoint.counts
    return WeightBytes(
      textEncoders: counts.textEncoders * width, transformer: counts.transformer * precision.weightBytes,
      decoder: counts.decoderBytes)
  }

  public func encodingBytes(textTokens: Int) -> Int { checkpoint.t5.activationBytes(tokens: textTokens) }

  public func decodingBytes(_ grid: TokenGrid, _ tiling: Tiling) -> Int {
    checkpoint.autoencoder.decodingBytes(height: 2 * grid.rows, width: 2 * grid.columns, tiling: tiling)
  }
}
