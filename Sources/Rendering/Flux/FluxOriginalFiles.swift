import Autoencoders
import Conditioning
import Files
import Tensors
import Transformers

/// FLUX in single files: Black Forest Labs' transformer and autoencoder, with text encoders and tokenizers apart.
///
/// Such files do not say everything about their architecture. What they don't say is that of the released models, unless a
/// `.json` of the same name stands beside a file (`flux1-dev.safetensors`, `flux1-dev.json`) with diffusers' or
/// transformers' settings for the part.
public struct FluxOriginalFiles: Sendable {
  /// `flux1-*.safetensors`
  public var transformer: String
  /// `ae.safetensors`
  public var autoencoder: String
  /// A file such as `clip_l.safetensors`, or a folder of transformers.
  public var clip: String
  /// A file such as `t5xxl_fp16.safetensors`, or a folder of transformers.
  public var t5: String
  /// The folders of the tokenizers.
  public var clipTokenizer: String
  public var t5Tokenizer: String

  public init(
    transformer: String, autoencoder: String, clip: String, t5: String, clipTokenizer: String, t5Tokenizer: String
  ) {
    self.transformer = transformer
    self.autoencoder = autoencoder
    self.clip = clip
    self.t5 = t5
    self.clipTokenizer = clipTokenizer
    self.t5Tokenizer = t5Tokenizer
  }
}

extension FluxCheckpoint {
  /// Opens single files.
  ///
  /// - Throws: `FileError`, `SafetensorsError`: one sentence that names the file and what is missing in it.
  public init(files: FluxOriginalFiles) throws {
    let transformer = try FluxOriginalTransformer(files.transformer)
    let autoencoder = try Self.store(files.autoencoder)
    let (clip, t5) = (try Self.store(files.clip), try Self.store(files.t5))
    let isSchnell = !transformer.configuration.embedsGuidance
    try self.init(
      path: files.transformer, transformer: transformer.configuration,
      autoencoder: Self.settings(of: files.autoencoder).map(AutoencoderKLConfiguration.init) ?? .flux,
      scheduler: FlowMatchEuler(shift: isSchnell ? .fixed(1) : .dynamic(FlowMatchEuler.Dynamic())),
      clip: Self.settings(of: files.clip).map(CLIPTextConfiguration.init) ?? .clipL,
      t5: Self.settings(of: files.t5).map(T5Configuration.init) ?? .t5XXL,
      sources: Sources(
        transformer: transformer.source, autoencoder: autoencoder, clip: clip, t5: t5,
        counts: PartCounts(
          transformer: transformer.store.elementCount, textEncoders: clip.elementCount + t5.elementCount,
          decoderBytes: autoencoder.decoderWeightBytes),
        isMappedFloat32: transformer.store.isMappedFloat32),
      tokenizers: (files.clipTokenizer, files.t5Tokenizer), defaults: .flux(isDistilledToFewSteps: isSchnell))
  }

  /// Loads the transformer of a single file, without the other parts of a pipeline.
  public static func loadTransformer(
    file: String, _ precision: Precision, packed: (any PackedMatrices)?
  ) throws -> FluxTransformer {
    let transformer = try FluxOriginalTransformer(file)
    return try FluxTransformer(
      transformer.configuration, Parameters(transformer.source, precision: precision, packed: packed))
  }

  private static func store(_ path: String) throws -> TensorStore {
    Folder.isFolder(path) ? try TensorStore(folder: path) : try TensorStore(file: path)
  }

  /// The settings of a folder, or those beside a file; nil if there are none.
  static func settings(of path: String) throws -> PartConfiguration? {
    if Folder.isFolder(path) { return try PartConfiguration(path: "\(path)/config.json") }
    let json = (path.hasSuffix(".safetensors") ? String(path.dropLast(".safetensors".count)) : path) + ".json"
    return Folder.isRegularFile(json) ? try PartConfiguration(path: json) : nil
  }
}

/// The transformer's file, with the architecture that its tensors show.
private struct FluxOriginalTransformer {
  let store: TensorStore
  let configuration: FluxConfiguration
  let source: FluxOriginalNames

  init(_ path: String) throws {
    let store = try TensorStore(file: path)
    let key = "double_blocks.0.img_attn.norm.key_norm.scale"
    guard let prefix = ["", "model.diffusion_model."].first(where: { store.contains($0 + key) }) else {
      throw FileError(
        path: path, reason: "is no FLUX transformer of Black Forest Labs: it has no tensor \"\(key)\"")
    }
    func shape(_ name: String, _ dimensions: Int) throws -> [Int] {
      let shape = try store.tensor(prefix + name).shape
      guard shape.count == dimensions, shape.allSatisfy({ $0 > 0 }) else {
        throw FileError(
          path: path, reason: "its tensor \"\(prefix + name)\" has the shape \(shape), which no FLUX transformer has")
      }
      return shape
    }
    func blocks(_ stack: String) -> Int {
      let start = "\(prefix)\(stack)."
      return Set(store.names.filter { $0.hasPrefix(start) }.map { $0.dropFirst(start.count).prefix { $0 != "." } })
        .count
    }
    if let settings = try FluxCheckpoint.settings(of: path) {
      configuration = try FluxConfiguration(settings)
    } else {
      let image = try shape("img_in.weight", 2)
      let (width, headWidth) = (image[0], try shape(key, 1)[0])
      guard headWidth == 128, width % headWidth == 0 else {
        throw FileError(
          path: path,
          reason:
            "has heads of \(headWidth) dimensions, not the 128 of the released models, so its architecture is not "
            + "known; put diffusers' settings for the transformer beside it, under the same name with .json")
      }
      configuration = FluxConfiguration(
        inputChannels: image[1], outputChannels: try shape("final_layer.linear.weight", 2)[0],
        doubleBlocks: blocks("double_blocks"), singleBlocks: blocks("single_blocks"), heads: width / headWidth,
        headWidth: headWidth, textWidth: try shape("txt_in.weight", 2)[1],
        pooledWidth: try shape("vector_in.in_layer.weight", 2)[1],
        embedsGuidance: store.contains("\(prefix)guidance_in.in_layer.weight"), ropeAxes: [16, 56, 56])
    }
    self.store = store
    source = FluxOriginalNames(store, prefix: prefix, width: configuration.width)
  }
}
