import Media
import Rendering
import StrictJSON

/// What one method gave for all prompts at one guidance scale.
struct CachingResult {
  let variant: CachingVariant
  let request: RenderRequest
  let summary: RunSummary
  /// In the order of the prompts.
  private(set) var psnr = Sample()
  private(set) var ssim = Sample()
  private(set) var seconds = Sample()
  private(set) var processorSeconds = Sample()

  /// Equal pictures have an infinite PSNR, of which there is no mean; they count as this.
  static let maximumPSNR = 100.0

  init(_ variant: CachingVariant, request: RenderRequest, model: any RenderModel) {
    self.variant = variant
    self.request = request
    summary = RunSummary(
      request.cache.policy, kinds: request.cache.policy.plannedSteps(request.steps).map(\.kind), rows: request.rows,
      cost: model.cost(model.grid(request), textTokens: request.textTokens))
  }

  mutating func add(_ rendered: RenderedPicture, uncached: RenderedPicture) throws {
    let comparison = try Comparison(rendered.picture, uncached.picture)
    psnr.values.append(min(comparison.peakSignalToNoiseRatio, Self.maximumPSNR))
    ssim.values.append(try comparison.structuralSimilarity())
    seconds.values.append(rendered.seconds)
    processorSeconds.values.append(rendered.processorSeconds)
  }

  /// Operations without a cache over all steps of the reference, divided by this method's.
  func operationsRatio(_ uncached: RunSummary) -> Double { uncached.operationsRatio(over: summary) }

  /// - Parameter clusca: the result of ClusCa at the same interval, for differences prompt by prompt.
  func json(_ uncached: UncachedResult, clusca: CachingResult?) -> JSONObject {
    var json: JSONObject = [
      "name": .string(variant.name), "method": .string(variant.method.rawValue),
      "interval": .integer(variant.interval), "steps": .integer(request.steps),
      "full_steps": .integer(summary.fullSteps), "cached_steps": .integer(summary.cachedSteps),
      "flop_ratio": .number(operationsRatio(uncached.summary)), "cache_bytes": .integer(summary.cacheBytes),
      "psnr_db": psnr.meanJSON, "ssim": ssim.meanJSON, "seconds": seconds.timeJSON,
      "processor_seconds": processorSeconds.timeJSON,
      "speedup": .number(uncached.seconds.ratio(to: seconds).median),
      "processor_speedup": .number(uncached.processorSeconds.ratio(to: processorSeconds).median),
    ]
    if let clusca, variant.method != .clusca {
      json["minus_clusca"] = [
        "psnr_db": psnr.difference(to: clusca.psnr).meanJSON, "ssim": ssim.difference(to: clusca.ssim).meanJSON,
      ]
    }
    json["psnr_db_each"] = .array(psnr.values.map(JSONValue.number))
    return json
  }

  static let tableHeader = [
    "method", "full", "cached", "FLOP ratio", "PSNR dB", "SSIM", "PSNR − ClusCa", "s", "CPU s", "speed-up",
    "CPU speed-up",
  ]

  func tableRow(_ uncached: UncachedResult, clusca: CachingResult?) -> [String] {
    let difference = clusca.map { psnr.difference(to: $0.psnr).meanText(2) } ?? ""
    return [
      variant.name, "\(summary.fullSteps)", "\(summary.cachedSteps)",
      Report.fixed(operationsRatio(uncached.summary), 2), psnr.meanText(2), ssim.meanText(4),
      variant.method == .clusca ? "" : difference, Report.fixed(seconds.median, 3),
      Report.fixed(processorSeconds.median, 3), Report.fixed(uncached.seconds.ratio(to: seconds).median, 2),
      Report.fixed(uncached.processorSeconds.ratio(to: processorSeconds).median, 2),
    ]
  }
}

/// The baseline: every step in full.
struct UncachedResult {
  let summary: RunSummary
  private(set) var seconds = Sample()
  private(set) var processorSeconds = Sample()

  init(summary: RunSummary) { self.summary = summary }

  mutating func add(_ rendered: RenderedPicture) {
    seconds.values.append(rendered.seconds)
    processorSeconds.values.append(rendered.processorSeconds)
  }

  var json: JSONObject {
    [
      "name": "uncached", "steps": .integer(summary.fullSteps), "flop": .integer(summary.operations),
      "seconds": seconds.timeJSON, "processor_seconds": processorSeconds.timeJSON,
    ]
  }

  var tableRow: [String] {
    [
      "uncached", "\(summary.fullSteps)", "0", "1.00", "", "", "", Report.fixed(seconds.median, 3),
      Report.fixed(processorSeconds.median, 3), "1.00", "1.00",
    ]
  }
}

extension RunSummary {
  /// How many times more operations this run takes than another.
  func operationsRatio(over other: RunSummary) -> Double { Double(operations) / Double(max(1, other.operations)) }
}
