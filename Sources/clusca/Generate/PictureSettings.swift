import Autoencoders
import FeatureCaching
import Media
import Rendering
import StrictJSON
import Tensors

/// Everything that decides about a picture, as the picture itself keeps it under `clusca`.
struct PictureSettings: Sendable, Equatable {
  var prompt: String
  var secondPrompt: String?
  var negativePrompt: String
  var seed: UInt64
  var width: Int
  var height: Int
  var steps: Int
  var guidance: Double
  var cfgScale: Double
  var textTokens: Int
  var cache: CacheSettings
  var precision: Precision
  var noiseFormat: NoiseFormat
  var noise: TorchNoise
  var tiling: VAETiling
  /// As the user named it.
  var model: String

  var request: RenderRequest {
    RenderRequest(
      prompt: PromptText(prompt, second: secondPrompt), negativePrompt: PromptText(negativePrompt), width: width,
      height: height, steps: steps, guidance: guidance, cfgScale: cfgScale, seed: seed, textTokens: textTokens,
      cache: cache, noiseFormat: noiseFormat, noise: noise, tiling: tiling.tiling)
  }

  var json: JSONObject {
    var json: JSONObject = [
      "prompt": .string(prompt), "negative_prompt": .string(negativePrompt), "seed": Self.json(seed),
      "width": .integer(width), "height": .integer(height), "steps": .integer(steps), "guidance": .number(guidance),
      "cfg_scale": .number(cfgScale), "max_sequence_length": .integer(textTokens), "cache": .object(cacheJSON),
      "dtype": .string(precision == .float32 ? "float32" : "bf16"),
      "noise_dtype": .string(noiseFormat == .float32 ? "float32" : "bf16"),
      "noise_compat": .string(noise == .current ? "torch" : "torch-legacy"), "vae_tiling": .string(tiling.rawValue),
      "model": .string(model),
    ]
    if let secondPrompt { json["prompt_2"] = .string(secondPrompt) }
    return json
  }

  private var cacheJSON: JSONObject {
    var json: JSONObject = ["method": .string(cache.method.rawValue)]
    for option in CacheOption.allCases where option.methods.contains(cache.method) {
      json[option.rawValue] = cache.json(option)
    }
    return json
  }

  /// Seeds above the largest signed number are written as text: many readers of JSON cannot hold them.
  private static func json(_ seed: UInt64) -> JSONValue {
    Int(exactly: seed).map { .integer($0) } ?? .string("\(seed)")
  }

  /// What other programs read.
  var parameters: GenerationParameters {
    var settings: [GenerationParameters.Setting] = [
      .init("Steps", "\(steps)"), .init("Sampler", "Euler"), .init("Schedule type", "Simple"),
      .init("CFG scale", "\(cfgScale)"), .init("Distilled CFG Scale", "\(guidance)"), .init("Seed", "\(seed)"),
      .init("Size", "\(width)x\(height)"), .init("Model", model), .init("RNG", "CPU"),
    ]
    settings.append(.init("Cache", cache.method.rawValue))
    settings.append(.init("Version", "clusca \(Version.current)"))
    return GenerationParameters(
      prompt: prompt, negativePrompt: cfgScale > 1 ? negativePrompt : "", settings: settings)
  }

  var metadata: PictureMetadata {
    var clusca = json
    clusca["version"] = .string(Version.current)
    return PictureMetadata(parameters: parameters, clusca: .object(clusca))
  }
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

extension CacheSettings {
  /// The value of an option, as the picture keeps it.
  func json(_ option: CacheOption) -> JSONValue {
    switch option {
    case .interval: .integer(interval)
    case .firstEnhance: .integer(enhancedSteps)
    case .maxOrder: .integer(maximumOrder)
    case .clusterNum: .integer(clusters)
    case .propagationRatio: .number(propagation)
    case .kMeansIterations: .integer(kMeansIterations)
    case .quirks: .string(quirks == .authorsCode ? "authors" : "none")
    }
  }
}
