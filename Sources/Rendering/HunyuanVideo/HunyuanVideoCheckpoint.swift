import Autoencoders
import Conditioning
import Files
import Tensors
import Transformers

/// The parts of a HunyuanVideo checkpoint, opened and checked but not yet loaded.
public struct HunyuanVideoCheckpoint: Sendable {
  public let path: String
  public let transformer: HunyuanVideoConfiguration
  public let autoencoder: AutoencoderKLHunyuanVideoConfiguration
  /// Changed by who wants other noise levels than the checkpoint's own.
  public var scheduler: FlowMatchEuler
  /// What to render where the user does not say.
  public let defaults: RenderDefaults
  let llama: LlamaConfiguration
  let clip: CLIPTextConfiguration
  private let weights: Weights
  private let tokenizers: (llama: String, clip: String)

  private struct Weights: Sendable {
    var transformer: TensorStore
    var autoencoder: TensorStore
    var llama: TensorStore
    var clip: TensorStore
  }

  /// Opens a folder in the layout of diffusers.
  ///
  /// - Throws: `FileError`, `SafetensorsError`: one sentence that names the file, tensor or setting.
  public init(folder path: String) throws { try self.init(PipelineFolder(path)) }

  init(_ folder: PipelineFolder) throws {
    path = folder.path
    transformer = try HunyuanVideoConfiguration(folder.configuration("transformer"))
    autoencoder = try AutoencoderKLHunyuanVideoConfiguration(folder.configuration("vae"))
    scheduler = try FlowMatchEuler(folder.configuration("scheduler", file: "scheduler_config.json"))
    guard case .fixed = scheduler.shift else {
      throw FileError(
        path: "\(folder.path)/scheduler/scheduler_config.json",
        reason: "\"use_dynamic_shifting\" is true, which is not supported for HunyuanVideo")
    }
    llama = try LlamaConfiguration(folder.configuration("text_encoder"))
    clip = try CLIPTextConfiguration(folder.configuration("text_encoder_2"))
    weights = Weights(
      transformer: try folder.weights("transformer"), autoencoder: try folder.weights("vae"),
      llama: try folder.weights("text_encoder"), clip: try folder.weights("text_encoder_2"))
    tokenizers = (try folder.folder("tokenizer"), try folder.folder("tokenizer_2"))
    defaults = try RenderDefaults(folder.settings(), else: .hunyuanVideo)
    try check()
  }

  /// Whether the parts fit one another. Found here and not at the first step: encoding prompts takes minutes.
  private func check() throws {
    guard transformer.inputChannels == autoencoder.latentChannels,
      transformer.outputChannels == transformer.inputChannels
    else {
      throw FileError(
        path: path,
        reason: "its transformer takes latents of \(transformer.inputChannels) channels and gives "
          + "\(transformer.outputChannels), but its autoencoder has \(autoencoder.latentChannels); variants of "
          + "HunyuanVideo that take a picture are not supported")
    }
    guard autoencoder.outputChannels == 3 else {
      throw FileError(
        path: path, reason: "its autoencoder gives \(autoencoder.outputChannels) channels, not 3 of a picture")
    }
    guard llama.layers >= Self.unusedLayers else {
      throw FileError(
        path: path, reason: "its text encoder Llama has \(llama.layers) layer, but \(Self.unusedLayers) are left out")
    }
    for (encoder, width, key, wanted) in [
      ("Llama", llama.width, "text_embed_dim", transformer.textWidth),
      ("CLIP", clip.width, "pooled_projection_dim", transformer.pooledWidth),
    ] where width != wanted {
      throw FileError(
        path: path,
        reason:
          "its text encoder \(encoder) gives vectors of width \(width), but its transformer takes \(wanted) (\(key))")
    }
  }

  /// The hidden states behind the last but two layers are used, as they are: the last layers are not even loaded.
  static let unusedLayers = 2

  public func loadTransformer(
    _ precision: Precision, blocks: BlockRange? = nil, packed: (any PackedMatrices)? = nil
  ) throws -> HunyuanVideoTransformer {
    try HunyuanVideoTransformer(
      transformer, Parameters(weights.transformer, precision: precision, packed: packed), blocks: blocks)
  }

  var isMappedFloat32: Bool { weights.transformer.isMappedFloat32 }

  func transformerShapes(_ precision: Precision, blocks: BlockRange?) throws -> HunyuanVideoTransformer {
    try HunyuanVideoTransformer(
      transformer, Parameters(shapesOf: weights.transformer, precision: precision), blocks: blocks)
  }

  func checkTensors() throws {
    _ = try HunyuanVideoTransformer(transformer, Parameters(shapesOf: weights.transformer))
    _ = try AutoencoderKLHunyuanVideoDecoder(autoencoder, Parameters(shapesOf: weights.autoencoder))
  }

  public func loadDecoder(_ precision: Precision) throws -> AutoencoderKLHunyuanVideoDecoder {
    try AutoencoderKLHunyuanVideoDecoder(autoencoder, Parameters(weights.autoencoder, precision: precision))
  }

  public func loadTextEncoders(_ precision: Precision) throws -> HunyuanVideoTextEncoders {
    try HunyuanVideoTextEncoders(
      llama: loadLlama(precision, layerCount: llama.layers - Self.unusedLayers),
      llamaTokenizer: Tokenizer(folder: tokenizers.llama),
      clip: CLIPTextEncoder(clip, Parameters(weights.clip, precision: precision)),
      clipTokenizer: Tokenizer(folder: tokenizers.clip), path: path)
  }

  /// - Parameter layerCount: all layers and the last norm if nil.
  public func loadLlama(_ precision: Precision, layerCount: Int?) throws -> LlamaEncoder {
    try LlamaEncoder(llama, Parameters(weights.llama, precision: precision), layerCount: layerCount)
  }

  /// How many numbers a part holds, and what the decoder takes of memory for them.
  var counts: (transformer: Int, textEncoders: Int, decoderBytes: Int) {
    (
      weights.transformer.elementCount, weights.llama.elementCount + weights.clip.elementCount,
      weights.autoencoder.decoderWeightBytes
    )
  }
}
