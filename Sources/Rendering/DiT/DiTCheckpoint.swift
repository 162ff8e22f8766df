import Autoencoders
import Conditioning
import Files
import Tensors
import Transformers

/// The parts of a DiT checkpoint, opened and checked but not yet loaded.
public struct DiTCheckpoint: Sendable {
  public let path: String
  public let transformer: DiTConfiguration
  public let autoencoder: AutoencoderKLConfiguration
  public private(set) var scheduler: any DiscreteScheduler
  public private(set) var schedulerChoice: SchedulerChoice
  private let schedulerSettings: PartConfiguration
  public let labels: ClassLabels
  public let defaults: RenderDefaults
  /// How many numbers the transformer holds, and what the decoder takes of memory for its own.
  let counts: (transformer: Int, decoderBytes: Int)
  private let weights: (transformer: TensorStore, autoencoder: TensorStore)

  /// Opens a folder in the layout of diffusers.
  ///
  /// - Throws: `FileError`, `SafetensorsError`: one sentence that names the file, tensor or setting.
  public init(folder path: String) throws { try self.init(PipelineFolder(path)) }

  init(_ folder: PipelineFolder) throws {
    path = folder.path
    transformer = try DiTConfiguration(folder.configuration("transformer"))
    autoencoder = try AutoencoderKLConfiguration(folder.configuration("vae"))
    schedulerSettings = try folder.configuration("scheduler", file: "scheduler_config.json")
    schedulerChoice = try SchedulerChoice(schedulerSettings)
    scheduler = try schedulerChoice.scheduler(schedulerSettings)
    labels = try ClassLabels(folder.index, count: transformer.classes)
    weights = (try folder.weights("transformer"), try folder.weights("vae"))
    counts = (weights.transformer.elementCount, weights.autoencoder.decoderWeightBytes)
    guard transformer.inputChannels == autoencoder.latentChannels else {
      throw FileError(
        path: path,
        reason: "its transformer takes latents of \(transformer.inputChannels) channels, but its autoencoder has "
          + "\(autoencoder.latentChannels)")
    }
    guard autoencoder.outputChannels == 3 else {
      throw FileError(
        path: path, reason: "its autoencoder gives \(autoencoder.outputChannels) channels, not 3 of a picture")
    }
    let side = transformer.sampleSize * autoencoder.scale
    guard side <= RenderRequest.maximumSide else {
      throw FileError(
        path: path, reason: "its pictures have a side of \(side) pixels, more than \(RenderRequest.maximumSide)")
    }
    var defaults = try RenderDefaults(folder.settings(), guidanceIsCFG: true, else: .dit(side: side))
    (defaults.width, defaults.height, defaults.textTokens) = (side, side, 0)
    defaults.steps = min(defaults.steps, scheduler.maximumSteps)
    self.defaults = defaults
  }

  /// Takes another scheduler, with the settings of the checkpoint's own.
  ///
  /// - Throws: `FileError` for a setting that it does not support.
  public mutating func use(_ choice: SchedulerChoice) throws {
    scheduler = try choice.scheduler(schedulerSettings)
    schedulerChoice = choice
  }

  /// Pixels along a side of a picture.
  public var side: Int { transformer.sampleSize * autoencoder.scale }

  public func loadTransformer(
    _ precision: Precision, blocks: BlockRange? = nil, packed: (any PackedMatrices)? = nil
  ) throws -> DiTTransformer {
    try DiTTransformer(
      transformer, Parameters(weights.transformer, precision: precision, packed: packed), blocks: blocks)
  }

  var isMappedFloat32: Bool { weights.transformer.isMappedFloat32 }

  /// Embedders keep their numbers: those that are equal are held once.
  func transformerShapes(_ precision: Precision, blocks: BlockRange?) throws -> DiTTransformer {
    let parameters = Parameters(shapesOf: weights.transformer, precision: precision) { $0.contains(".norm1.emb.") }
    return try DiTTransformer(transformer, parameters, blocks: blocks)
  }

  func checkTensors() throws {
    _ = try DiTTransformer(transformer, Parameters(shapesOf: weights.transformer))
    _ = try AutoencoderKLDecoder(autoencoder, Parameters(shapesOf: weights.autoencoder))
  }

  public func loadDecoder(_ precision: Precision) throws -> AutoencoderKLDecoder {
    try AutoencoderKLDecoder(autoencoder, Parameters(weights.autoencoder, precision: precision))
  }
}
