import ArgumentParser
import DefaultModels
import Foundation
import Rendering
import Tensors

/// What benchmarks of whole pictures render: a model, prompts, steps and size.
struct PictureInputs: ParsableArguments {
  @Option(help: "A folder in the layout of diffusers; the default model unless given.")
  var model: String?

  @Option(help: "Prompts, one a line; those of the package unless given.", completion: .file(extensions: ["txt"]))
  var prompts: String?

  @Option(help: "Take only the first so many prompts.")
  var limit: Int?

  @Option(help: "Denoising steps of an uncached picture and of caching methods.")
  var steps = 50

  @Option(help: "Width and height in pixels; what the model is made for unless given.")
  var size: Int?

  @Option(help: "Threads to compute with.")
  var threads: Int?

  func validate() throws {
    guard (1...RenderRequest.maximumSteps).contains(steps) else {
      throw ValidationError("--steps \(steps) is no number of steps")
    }
    guard size.map({ (1...RenderRequest.maximumSide).contains($0) }) ?? true else {
      throw ValidationError("--size \(size ?? 0) is no number of pixels")
    }
    guard limit.map({ $0 >= 1 }) ?? true else { throw ValidationError("--limit begins at 1") }
    guard threads.map({ (1...1024).contains($0) }) ?? true else { throw ValidationError("--threads begins at 1") }
  }

  /// Sets the threads and opens the model.
  ///
  /// - Parameter shift: of the noise levels, instead of the model's own.
  func openedModel(shift: Double? = nil) throws -> any RenderModel {
    if let threads { ThreadPool.shared.setThreads(threads) }
    guard let folder = model ?? DefaultModels.folder("flux") else {
      throw ValidationError("The default model was not found beside the program; give --model")
    }
    guard let shift else { return try RenderModels.open(.folder(folder)) }
    var checkpoint = try FluxCheckpoint(folder: folder)
    checkpoint.scheduler.shift = .fixed(Float(shift))
    return FluxModel(checkpoint)
  }

  func promptTexts() throws -> [String] {
    let text =
      try prompts.map { try String(contentsOfFile: $0, encoding: .utf8) }
      ?? String(decoding: PackageResources.prompts_txt, as: UTF8.self)
    let lines = text.split(separator: "\n").map(String.init).filter { !$0.allSatisfy(\.isWhitespace) }
    guard !lines.isEmpty else { throw ValidationError("\(prompts ?? "The file") holds no prompts") }
    return Array(lines.prefix(limit ?? lines.count))
  }

  /// A picture without a cache.
  func request(_ text: String, seed: Int, scale: Double, _ model: any RenderModel) -> RenderRequest {
    let defaults = model.defaults
    func side(_ pixels: Int) -> Int { max(1, pixels / model.sizeMultiple) * model.sizeMultiple }
    var cache = model.cachePreset
    cache.method = .none
    return RenderRequest(
      subject: .prompt(PromptText(text)), negative: .prompt(PromptText(defaults.negativePrompt)),
      width: side(size ?? defaults.width), height: side(size ?? defaults.height), steps: steps,
      guidance: model.takesGuidance ? defaults.guidance : 0, cfgScale: scale, seed: UInt64(seed),
      textTokens: defaults.textTokens, cache: cache)
  }
}

extension Precision: ExpressibleByArgument {
  public init?(argument: String) {
    switch argument {
    case "float32", "f32", "fp32": self = .float32
    case "bfloat16", "bf16": self = .bfloat16
    case "int8": self = .int8
    default: return nil
    }
  }
}
