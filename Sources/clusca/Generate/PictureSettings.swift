import Autoencoders
import FeatureCaching
import Media
import Rendering
import StrictJSON
import Tensors

/// Everything that decides about a picture, as the picture itself keeps it under `clusca`.
struct PictureSettings: Sendable, Equatable {
  /// Empty for a picture of a class.
  var prompt: String
  var secondPrompt: String?
  var negativePrompt: String
  /// For models of classes.
  var pictureClass: PictureClass?
  var seed: UInt64
  var width: Int
  var height: Int
  /// For models of videos.
  var frames: Int?
  /// For more than one frame.
  var framesPerSecond: Double
  var steps: Int
  var guidance: Double
  var cfgScale: Double
  var guidedChannels: GuidedChannels
  /// For models that can have several.
  var scheduler: SchedulerChoice?
  /// The scheduler's name in other programs.
  var sampler: String
  var textTokens: Int
  var cache: CacheSettings
  var precision: Precision
  var noiseFormat: NoiseFormat
  var noise: TorchNoise
  var tiling: VAETiling
  /// As the user named it.
  var model: String
  /// How what it is made of travelled, if nothing protected it; of no picture that is rendered again.
  var transport: String?

  var request: RenderRequest {
    RenderRequest(
      subject: pictureClass.map { .label($0.label) } ?? .prompt(PromptText(prompt, second: secondPrompt)),
      negative: pictureClass == nil ? .prompt(PromptText(negativePrompt)) : .label(nil), width: width, height: height,
      frames: frames ?? 1, steps: steps, guidance: guidance, cfgScale: cfgScale, guidedChannels: guidedChannels,
      seed: seed,
      textTokens: textTokens, cache: cache, noiseFormat: noiseFormat, noise: noise, tiling: tiling.tiling)
  }

  var json: JSONObject {
    var json = subjectJSON
    let common: JSONObject = [
      "seed": Self.json(seed), "width": .integer(width), "height": .integer(height), "steps": .integer(steps),
      "cfg_scale": .number(cfgScale), "cache": .object(cache.json),
      "dtype": .string(precision == .float32 ? "float32" : "bf16"),
      "noise_dtype": .string(noiseFormat == .float32 ? "float32" : "bf16"),
      "noise_compat": .string(noise == .current ? "torch" : "torch-legacy"), "vae_tiling": .string(tiling.rawValue),
      "model": .string(model),
    ]
    for (key, value) in common { json[key] = value }
    if let frames {
      json["frames"] = .integer(frames)
      if frames > 1 { json["fps"] = .number(framesPerSecond) }
    }
    if let transport { json["transport"] = .string(transport) }
    return json
  }

  /// What it shows, and the settings that go with it.
  private var subjectJSON: JSONObject {
    if let pictureClass {
      return [
        "class_label": pictureClass.label.map(JSONValue.integer) ?? .null, "class_name": .string(pictureClass.name),
        "cfg_channels": .string(guidedChannels.rawValue),
        "scheduler": scheduler.map { .string($0.rawValue) } ?? .null,
      ]
    }
    var json: JSONObject = [
      "prompt": .string(prompt), "negative_prompt": .string(negativePrompt), "guidance": .number(guidance),
      "max_sequence_length": .integer(textTokens),
    ]
    if let secondPrompt { json["prompt_2"] = .string(secondPrompt) }
    return json
  }

  /// Seeds above the largest signed number are written as text: many readers of JSON cannot hold them.
  private static func json(_ seed: UInt64) -> JSONValue {
    Int(exactly: seed).map { .integer($0) } ?? .string("\(seed)")
  }

  /// What other programs read.
  var parameters: GenerationParameters {
    var settings: [GenerationParameters.Setting] = [.init("Steps", "\(steps)"), .init("Sampler", sampler)]
    if pictureClass == nil { settings.append(.init("Schedule type", "Simple")) }
    settings.append(.init("CFG scale", "\(cfgScale)"))
    if pictureClass == nil { settings.append(.init("Distilled CFG Scale", "\(guidance)")) }
    settings += [
      .init("Seed", "\(seed)"), .init("Size", "\(width)x\(height)"), .init("Model", model), .init("RNG", "CPU"),
    ]
    if let frames, frames > 1 {
      settings += [.init("Frames", "\(frames)"), .init("FPS", "\(framesPerSecond)")]
    }
    settings.append(.init("Cache", cache.method.rawValue))
    settings.append(.init("Version", "clusca \(Version.current)"))
    return GenerationParameters(
      prompt: pictureClass?.name ?? prompt, negativePrompt: cfgScale > 1 ? negativePrompt : "", settings: settings)
  }

  var metadata: PictureMetadata {
    var clusca = json
    clusca["version"] = .string(Version.current)
    return PictureMetadata(parameters: parameters, clusca: .object(clusca))
  }
}

extension PictureSettings {
  /// The picture as a PNG, with all settings; of a video the sheet of its frames.
  func sheet(of pixels: Tensor) throws -> [UInt8] {
    let frames = try Picture.frames(pixels)
    let sheet = try FrameSheet(frames: frames.count, width: width, height: height).sheet(frames)
    return try PNG.encode(sheet, texts: metadata.texts())
  }
}

/// The class that a picture shows.
struct PictureClass: Sendable, Equatable {
  /// Nil for none in particular.
  var label: Int?
  /// All names that the checkpoint has for it.
  var name: String
}

/// When the autoencoder works in tiles, as the option has it.
enum VAETiling: String, Sendable, CaseIterable {
  case auto
  case on
  case off

  var tiling: Tiling {
    switch self {
    case .auto: .automatic
    case .on: .always
    case .off: .never
    }
  }
}
