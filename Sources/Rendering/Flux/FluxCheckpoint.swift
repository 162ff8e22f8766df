import Autoencoders
import Conditioning
import Files
import Tensors
import Transformers

/// The parts of a FLUX checkpoint, opened and checked but not yet loaded.
public struct FluxCheckpoint: Sendable {
  /// The folder or the transformer's file.
  public let path: String
  public let transformer: FluxConfiguration
  public let autoencoder: AutoencoderKLConfiguration
  /// Changed by who wants other noise levels than the checkpoint's own.
  public var scheduler: FlowMatchEuler
  /// What to render where the user does not say.
  public let defaults: RenderDefaults
  let clip: CLIPTextConfiguration
  let t5: T5Configuration
  private let sources: Sources
  private let tokenizers: (clip: String, t5: String)

  struct Sources: Sendable {
    var transformer: any ParameterSource
    var autoencoder: any ParameterSource
    var clip: any ParameterSource
    var t5: any ParameterSource
    /// How many numbers each part holds.
    var counts: PartCounts
    /// Whether the transformer's weights can be used where they stand.
    var isMappedFloat32: Bool
  }

  /// How many numbers a part holds, and what the decoder takes of memory for them.
  struct PartCounts: Sendable {
    var transformer: Int
    var textEncoders: Int
    var decoderBytes: Int
  }

  /// Opens a folder in the layout of diffusers.
  ///
  /// - Throws: `FileError`, `SafetensorsError`: one sentence that names the file, tensor or setting.
  public init(folder path: String) throws { try self.init(PipelineFolder(path)) }

  init(_ folder: PipelineFolder) throws {
    let transformer = try FluxConfiguration(folder.configuration("transformer"))
    let scheduler = try FlowMatchEuler(folder.configuration("scheduler", file: "scheduler_config.json"))
    let stores = (
      transformer: try folder.weights("transformer"), autoencoder: try folder.weights("vae"),
      clip: try folder.weights("text_encoder"), t5: try folder.weights("text_encoder_2")
    )
    try self.init(
      path: folder.path, transformer: transformer,
      autoencoder: AutoencoderKLConfiguration(folder.configuration("vae")), scheduler: scheduler,
      clip: CLIPTextConfiguration(folder.configuration("text_encoder")),
      t5: T5Configuration(folder.configuration("text_encoder_2")),
      sources: Sources(
        transformer: stores.transformer, autoencoder: stores.autoencoder, clip: stores.clip,
        t5: stores.t5,
        counts: PartCounts(
          transformer: stores.transformer.elementCount,
          textEncoders: stores.clip.elementCount + stores.t5.elementCount,
          decoderBytes: stores.autoencoder.decoderWeightBytes),
        isMappedFloat32: stores.transformer.isMappedFloat32),
      tokenizers: (folder.folder("tokenizer"), folder.folder("tokenizer_2")),
      defaults: RenderDefaults(
        folder.settings(), else: .flux(isDistilledToFewSteps: !transformer.embedsGuidance)))
  }

  init(
    path: String, transformer: FluxConfiguration, autoencoder: AutoencoderKLConfiguration, scheduler: FlowMatchEuler,
    clip: CLIPTextConfiguration, t5: T5Configuration, sources: Sources, tokenizers: (clip: String, t5: String),
    defaults: RenderDefaults
  ) throws {
    guard transformer.inputChannels == 4 * autoencoder.latentChannels,
      transformer.outputChannels == transformer.inputChannels
    else {
      throw FileError(
        path: path,
        reason: "its transformer takes \(transformer.inputChannels) channels a token and gives "
          + "\(transformer.outputChannels), but 2 × 2 latents of its autoencoder have \(4 * autoencoder.latentChannels); "
          + "variants of FLUX that take a picture (Fill, Canny, Depth, Kontext) are not supported")
    }
    guard autoencoder.outputChannels == 3 else {
      throw FileError(
        path: path, reason: "its autoencoder gives \(autoencoder.outputChannels) channels, not 3 of a picture")
    }
    // Found here and not at the first step: encoding prompts takes minutes.
    for (encoder, width, key, wanted) in [
      ("T5", t5.width, "joint_attention_dim", transformer.textWidth),
      ("CLIP", clip.width, "pooled_projection_dim", transformer.pooledWidth),
    ] where width != wanted {
      throw FileError(
        path: path,
        reason:
          "its text encoder \(encoder) gives vectors of width \(width), but its transformer takes \(wanted) (\(key))")
    }
    self.path = path
    self.transformer = transformer
    self.autoencoder = autoencoder
    self.scheduler = scheduler
    self.clip = clip
    self.t5 = t5
    self.sources = sources
    self.tokenizers = tokenizers
    self.defaults = defaults
  }

  public func loadTransformer(
    _ precision: Precision, blocks: BlockRange? = nil, packed: (any PackedMatrices)? = nil
  ) throws -> FluxTransformer {
    try FluxTransformer(
      transformer, Parameters(sources.transformer, precision: precision, packed: packed), blocks: blocks)
  }

  func transformerShapes(_ precision: Precision, blocks: BlockRange?) throws -> FluxTransformer {
    try FluxTransformer(
      transformer, Parameters(shapesOf: sources.transformer, precision: precision), blocks: blocks)
  }

  func checkTensors() throws {
    _ = try FluxTransformer(transformer, Parameters(shapesOf: sources.transformer))
    _ = try AutoencoderKLDecoder(autoencoder, Parameters(shapesOf: sources.autoencoder))
  }

  public func loadDecoder(_ precision: Precision) throws -> AutoencoderKLDecoder {
    try AutoencoderKLDecoder(autoencoder, Parameters(sources.autoencoder, precision: precision))
  }

  public func loadTextEncoders(_ precision: Precision) throws -> FluxTextEncoders {
    try FluxTextEncoders(
      clip: CLIPTextEncoder(clip, Parameters(sources.clip, precision: precision)),
      clipTokenizer: Tokenizer(folder: tokenizers.clip),
      t5: T5Encoder(t5, Parameters(sources.t5, precision: precision)),
      t5Tokenizer: Tokenizer(folder: tokenizers.t5), path: path)
  }

  var counts: PartCounts { sources.counts }
  var isMappedFloat32: Bool { sources.isMappedFloat32 }
}

extension TensorStore {
  /// The elements of all tensors together.
  var elementCount: Int { names.reduce(0) { $0 + (self[$1]?.elementCount ?? 0) } }

  /// Whether all tensors can be used where they stand, as float32.
  var isMappedFloat32: Bool { names.allSatisfy { self[$0]?.isMappedFloat32 ?? false } }
}
