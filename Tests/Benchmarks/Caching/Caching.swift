import ArgumentParser
import DefaultModels
import Foundation
import Rendering
import StrictJSON
import Tensors

/// `Benchmarks caching`: pictures with feature caches beside those without, one seed a prompt for all methods.
struct Caching: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Compares caching methods on many prompts: PSNR, SSIM, time, operations.",
    discussion: """
      Each prompt is rendered without a cache once a guidance scale, and with every method from the same noise; PSNR and \
      SSIM are of the 8-bit pixels. The uncached pictures are the baseline of the times too. N is the distance of full \
      steps; all other settings of a method are those of the model's family.
      """)

  @Option(help: "A folder in the layout of diffusers; the default model unless given.")
  var model: String?

  @Option(help: "Prompts, one a line; those of the package unless given.", completion: .file(extensions: ["txt"]))
  var prompts: String?

  @Option(help: "Take only the first so many prompts.")
  var limit: Int?

  @Option(help: "Denoising steps of the uncached picture and of the caching methods.")
  var steps = 50

  @Option(help: "Width and height in pixels; what the model is made for unless given.")
  var size: Int?

  @Option(help: "float32 or bfloat16.")
  var dtype: Precision = .float32

  @Option(
    parsing: .upToNextOption,
    help: "Scales of classifier-free guidance; 1, which is none, and the model's own unless given.")
  var cfgScale: [Double] = []

  @Option(parsing: .upToNextOption, help: "Methods to compare; all unless given.")
  var methods: [CachingMethod] = CachingMethod.allCases

  @Option(parsing: .upToNextOption, help: "Distances N of full steps.")
  var intervals = [3, 5, 7]

  @Option(help: "A fixed shift of the noise levels instead of the model's own.")
  var shift: Double?

  @Option(help: "Threads to compute with.")
  var threads: Int?

  func validate() throws {
    guard (1...RenderRequest.maximumSteps).contains(steps) else {
      throw ValidationError("--steps \(steps) is no number of steps")
    }
    guard intervals.allSatisfy({ (1...10_000).contains($0) }) else { throw ValidationError("--intervals begin at 1") }
    guard size.map({ (1...RenderRequest.maximumSide).contains($0) }) ?? true else {
      throw ValidationError("--size \(size ?? 0) is no number of pixels")
    }
    guard cfgScale.allSatisfy({ (0...1000).contains($0) }) else {
      throw ValidationError("--cfg-scale takes numbers from 0 to 1000")
    }
    guard shift.map({ $0.isFinite && $0 > 0 }) ?? true else { throw ValidationError("--shift must be above 0") }
    guard limit.map({ $0 >= 1 }) ?? true else { throw ValidationError("--limit begins at 1") }
    guard threads.map({ (1...1024).contains($0) }) ?? true else { throw ValidationError("--threads begins at 1") }
  }

  func run() async throws {
    if let threads { ThreadPool.shared.setThreads(threads) }
    let model = try openedModel()
    let texts = try promptTexts()
    let scales = cfgScale.isEmpty ? Array(Set([1, model.defaults.cfgScale])).sorted() : cfgScale
    let requests = scales.map { scale in texts.indices.map { request(texts[$0], seed: $0, scale: scale, model) } }
    let session = try await RenderSession(model, requests.flatMap { $0 }, precision: dtype) {
      Report.note("\($0.rawValue)")
    }
    var guidances: [JSONValue] = []
    for (scale, requests) in zip(scales, requests) {
      let comparison = try await CachingComparison(
        requests, variants: variants, session: session, progress: "guidance scale \(scale)")
      Report.note("\n\(texts.count) prompts, guidance scale \(scale), \(requests[0].width)x\(requests[0].height)")
      Report.table(comparison.table)
      var json = comparison.json
      json["cfg_scale"] = .number(scale)
      guidances.append(.object(json))
    }
    Report.json([
      "benchmark": "caching", "baseline": "uncached", "model": .string(self.model ?? "default"),
      "family": .string(model.family), "prompts": .integer(texts.count), "steps": .integer(steps),
      "width": .integer(requests[0][0].width), "height": .integer(requests[0][0].height),
      "dtype": .string(dtype.rawValue), "shift": shift.map(JSONValue.number) ?? .null,
      "machine": .object(Report.machine), "guidances": .array(guidances),
    ])
  }

  /// Sorted by interval, so that methods of equal cost stand together.
  private var variants: [CachingVariant] {
    intervals.flatMap { interval in methods.map { CachingVariant(method: $0, interval: interval) } }
  }

  private func openedModel() throws -> any RenderModel {
    guard let folder = model ?? DefaultModels.folder("flux") else {
      throw ValidationError("The default model was not found beside the program; give --model")
    }
    guard let shift else { return try RenderModels.open(.folder(folder)) }
    var checkpoint = try FluxCheckpoint(folder: folder)
    checkpoint.scheduler.shift = .fixed(Float(shift))
    return FluxModel(checkpoint)
  }

  private func promptTexts() throws -> [String] {
    let text =
      try prompts.map { try String(contentsOfFile: $0, encoding: .utf8) }
      ?? String(decoding: PackageResources.prompts_txt, as: UTF8.self)
    let lines = text.split(separator: "\n").map(String.init).filter { !$0.allSatisfy(\.isWhitespace) }
    guard !lines.isEmpty else { throw ValidationError("\(prompts ?? "The file") holds no prompts") }
    return Array(lines.prefix(limit ?? lines.count))
  }

  private func request(_ text: String, seed: Int, scale: Double, _ model: any RenderModel) -> RenderRequest {
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
    default: return nil
    }
  }
}
