import ArgumentParser
import Measuring
import Media
import Rendering
import StrictJSON
import Tensors

/// `Benchmarks precision`: pictures in one precision beside those in another, from the same noise.
struct PrecisionDistance: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "precision",
    abstract: "Measures how far pictures in a fast precision lie from those in an exact one, and the time of both.",
    discussion: """
      Each prompt is rendered in both precisions, float32 and bfloat16 unless told otherwise, without a cache and with \
      ClusCa at N=5, at the model's own guidance. PSNR and SSIM are of the 8-bit pixels; the distance of the latents is \
      the norm of the difference divided by the norm.
      """)

  @OptionGroup var inputs: PictureInputs

  @Option(help: "The precision that is measured.")
  var dtype: Precision = .bfloat16

  @Option(help: "The precision it is compared with.")
  var beside: Precision = .float32

  func run() async throws {
    let model = try inputs.openedModel()
    let texts = try inputs.promptTexts()
    let requests = texts.indices.map {
      inputs.request(texts[$0], seed: $0, scale: model.defaults.cfgScale, model)
    }
    let exact = try await RenderSession(model, requests, precision: beside)
    let fast = try await RenderSession(model, requests, precision: dtype)
    var results = [PrecisionResult(name: "uncached"), PrecisionResult(name: "ClusCa N=5")]
    for (number, uncached) in requests.enumerated() {
      var cached = uncached
      cached.cache = model.cachePreset
      cached.cache.interval = 5
      for (index, request) in [uncached, cached].enumerated() {
        try results[index].add(
          fast: await RenderedPicture(request, fast), exact: await RenderedPicture(request, exact))
      }
      Report.note("prompt \(number + 1) of \(requests.count)")
    }
    Report.table([PrecisionResult.tableHeader] + results.map(\.tableRow))
    Report.json([
      "benchmark": "precision", "baseline": .string(beside.rawValue), "dtype": .string(dtype.rawValue),
      "model": .string(inputs.model ?? "default"),
      "family": .string(model.family), "prompts": .integer(texts.count), "steps": .integer(inputs.steps),
      "cfg_scale": .number(model.defaults.cfgScale), "width": .integer(requests[0].width),
      "height": .integer(requests[0].height), "machine": .object(Report.machine),
      "methods": .array(results.map { .object($0.json) }),
    ])
  }
}

/// A fast precision beside an exact one, for one method.
private struct PrecisionResult {
  let name: String
  private(set) var psnr = Sample()
  private(set) var ssim = Sample()
  private(set) var latents = Sample()
  private(set) var exactSeconds = Sample()
  private(set) var fastSeconds = Sample()

  init(name: String) { self.name = name }

  mutating func add(fast: RenderedPicture, exact: RenderedPicture) throws {
    let comparison = try Comparison(fast.picture, exact.picture)
    psnr.values.append(min(comparison.peakSignalToNoiseRatio, Comparison.countedPeakRatio))
    ssim.values.append(try comparison.structuralSimilarity())
    latents.values.append(Self.distance(fast.latents, exact.latents))
    exactSeconds.values.append(exact.seconds)
    fastSeconds.values.append(fast.seconds)
  }

  private static func distance(_ a: Tensor, _ b: Tensor) -> Double {
    let squares = zip(a.elements, b.elements).reduce(into: (difference: 0.0, norm: 0.0)) { sums, pair in
      let (a, b) = (Double(pair.0), Double(pair.1))
      sums.difference += (a - b) * (a - b)
      sums.norm += b * b
    }
    return (squares.difference / squares.norm).squareRoot()
  }

  static let tableHeader = ["method", "PSNR dB", "least", "SSIM", "latents", "exact s", "fast s", "speed-up"]

  var tableRow: [String] {
    [
      name, psnr.meanText(2), Report.fixed(psnr.minimum, 2), ssim.meanText(4), latents.meanText(4),
      Report.fixed(exactSeconds.median, 3), Report.fixed(fastSeconds.median, 3),
      Report.fixed(exactSeconds.ratio(to: fastSeconds).median, 2),
    ]
  }

  var json: JSONObject {
    [
      "name": .string(name), "psnr_db": psnr.meanJSON, "ssim": ssim.meanJSON, "latents": latents.meanJSON,
      "exact_seconds": exactSeconds.timeJSON, "fast_seconds": fastSeconds.timeJSON,
      "speedup": .number(exactSeconds.ratio(to: fastSeconds).median),
    ]
  }
}
