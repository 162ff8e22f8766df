import ArgumentParser
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

  @OptionGroup var inputs: PictureInputs

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

  func validate() throws {
    guard intervals.allSatisfy({ (1...10_000).contains($0) }) else { throw ValidationError("--intervals begin at 1") }
    guard cfgScale.allSatisfy({ (0...1000).contains($0) }) else {
      throw ValidationError("--cfg-scale takes numbers from 0 to 1000")
    }
    guard shift.map({ $0.isFinite && $0 > 0 }) ?? true else { throw ValidationError("--shift must be above 0") }
  }

  func run() async throws {
    let model = try inputs.openedModel(shift: shift)
    let texts = try inputs.promptTexts()
    let scales = cfgScale.isEmpty ? Array(Set([1, model.defaults.cfgScale])).sorted() : cfgScale
    let requests = scales.map { scale in texts.indices.map { inputs.request(texts[$0], seed: $0, scale: scale, model) }
    }
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
      "benchmark": "caching", "baseline": "uncached", "model": .string(inputs.model ?? "default"),
      "family": .string(model.family), "prompts": .integer(texts.count), "steps": .integer(inputs.steps),
      "width": .integer(requests[0][0].width), "height": .integer(requests[0][0].height),
      "dtype": .string(dtype.rawValue), "shift": shift.map(JSONValue.number) ?? .null,
      "machine": .object(Report.machine), "guidances": .array(guidances),
    ])
  }

  /// Sorted by interval, so that methods of equal cost stand together.
  private var variants: [CachingVariant] {
    intervals.flatMap { interval in methods.map { CachingVariant(method: $0, interval: interval) } }
  }
}
