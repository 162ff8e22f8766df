import Autoencoders
import Conditioning
import FeatureCaching
import Tensors
import Transformers

/// The DiT family as the pipeline sees it.
public struct DiTModel: RenderModel {
  public let checkpoint: DiTCheckpoint

  public init(_ checkpoint: DiTCheckpoint) { self.checkpoint = checkpoint }

  public var family: String { "dit" }
  public var path: String { checkpoint.path }
  public var defaults: RenderDefaults { checkpoint.defaults }
  public var classLabels: ClassLabels? { checkpoint.labels }
  public var takesGuidance: Bool { false }
  public var cachePreset: CacheSettings { .dit }
  public var maximumSteps: Int { checkpoint.scheduler.maximumSteps }
  public var sampler: String { checkpoint.scheduler.sampler }
  public var scheduler: SchedulerChoice? { checkpoint.schedulerChoice }

  public func with(_ scheduler: SchedulerChoice) throws -> (any RenderModel)? {
    var checkpoint = checkpoint
    try checkpoint.use(scheduler)
    return DiTModel(checkpoint)
  }

  /// The positions of the tokens were made for one size.
  public var hasFixedSize: Bool { true }
  public var sizeMultiple: Int { checkpoint.side }

  public func grid(width: Int, height: Int, frames: Int) -> TokenGrid { checkpoint.transformer.grid }

  public func checkTensors() throws { try checkpoint.checkTensors() }

  public func loadEncoder(_ precision: Precision) throws -> any SubjectEncoder { ClassEncoder() }

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
    PatchDecoder(
      decoder: try checkpoint.loadDecoder(precision.ofSensitiveMaps), patch: checkpoint.transformer.patchSize)
  }

  public func noise(
    _ grid: TokenGrid, rows: Int, _ generator: inout TorchGenerator, _ format: NoiseFormat
  ) -> Tensor {
    let transformer = checkpoint.transformer
    return LatentPacking.noise(
      [transformer.inputChannels, transformer.sampleSize, transformer.sampleSize], rows: rows, &generator, format,
      patch: transformer.patchSize)
  }

  public func schedule(steps: Int, grid: TokenGrid) -> any DenoisingSchedule {
    checkpoint.scheduler.schedule(steps: steps)
  }

  /// The numbers of a token are ordered by channel.
  public func guidedColumns(_ channels: GuidedChannels) -> Int? {
    channels == .all ? nil : 3 * checkpoint.transformer.patchSize * checkpoint.transformer.patchSize
  }

  public func cost(_ grid: TokenGrid, textTokens: Int) -> StepCost {
    let transformer = checkpoint.transformer
    // What a model estimates of its noise's variance is left away.
    return StepCost(
      branches: transformer.branches, outsideOfBranches: transformer.operationsOutsideOfBranches, beforeSteps: 0,
      outputElements: transformer.grid.tokens * transformer.patchSize * transformer.patchSize
        * transformer.inputChannels, imageTokens: transformer.grid.tokens,
      modulationOutputs: transformer.modulationOutputs)
  }

  /// At most: of embedders that all blocks share the file has a copy for each.
  public func weightBytes(_ precision: Precision) -> WeightBytes {
    WeightBytes(
      textEncoders: 0, transformer: checkpoint.counts.transformer * precision.weightBytes,
      decoder: checkpoint.counts.decoderBytes)
  }

  public func encodingBytes(textTokens: Int) -> Int { 0 }

  public func decodingBytes(_ grid: TokenGrid, _ tiling: Tiling) -> Int {
    let side = checkpoint.transformer.sampleSize
    return checkpoint.autoencoder.decodingBytes(height: side, width: side, tiling: tiling)
  }
}

/// Classes are taken as they are.
private struct ClassEncoder: SubjectEncoder {
  func encode(_ subject: Subject, maximumTokens: Int) throws -> EncodedSubject {
    guard case .label(let label) = subject else {
      throw SampleError(description: "A DiT takes a class, not a prompt.")
    }
    return EncodedSubject(.label(label))
  }
}
