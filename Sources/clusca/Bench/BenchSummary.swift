import Measuring
import Rendering
import StrictJSON

/// What one policy gave over all prompts.
struct BenchSummary {
  let policy: BenchPolicy
  /// In the order of the prompts, as all samples here.
  let psnr: Sample
  let ssim: Sample
  let seconds: Sample
  let processorSeconds: Sample
  /// How many times less time than the reference took for the same prompt.
  let speedUp: Sample
  let fullSteps: Sample
  let cachedSteps: Sample
  /// How many times fewer operations.
  let operationsRatio: Sample
  let cacheBytes: Int
  let peakResidentBytes: Int?

  init(_ policy: BenchPolicy, _ measurements: [BenchMeasurement], reference: [BenchMeasurement]) {
    func sample(_ value: (BenchMeasurement) -> Double) -> Sample { Sample(values: measurements.map(value)) }
    self.policy = policy
    psnr = Sample(values: measurements.compactMap(\.countedPSNR))
    ssim = Sample(values: measurements.compactMap(\.structuralSimilarity))
    seconds = sample(\.seconds)
    processorSeconds = sample(\.processorSeconds)
    speedUp = Sample(values: reference.map(\.seconds)).ratio(to: seconds)
    fullSteps = sample { Double($0.fullSteps) }
    cachedSteps = sample { Double($0.cachedSteps) }
    operationsRatio = Sample(values: reference.map { Double($0.operations) })
      .ratio(to: sample { Double(max(1, $0.operations)) })
    cacheBytes = measurements.map(\.cacheBytes).max() ?? 0
    peakResidentBytes = measurements.compactMap(\.peakResidentBytes).max()
  }

  var json: JSONObject {
    [
      "name": .string(policy.name), "cache": .object(policy.cache.json), "prompts": .integer(seconds.values.count),
      "full_steps": .number(fullSteps.mean), "cached_steps": .number(cachedSteps.mean), "psnr_db": Self.json(psnr),
      "ssim": Self.json(ssim), "seconds": Self.json(seconds), "processor_seconds": Self.json(processorSeconds),
      "speed_up": Self.json(speedUp), "flop_ratio": Self.json(operationsRatio), "cache_bytes": .integer(cacheBytes),
      "peak_resident_bytes": peakResidentBytes.map(JSONValue.integer) ?? .null,
    ]
  }

  static func json(_ sample: Sample) -> JSONValue {
    [
      "mean": .number(sample.mean), "standard_error": .number(sample.standardError), "median": .number(sample.median),
      "minimum": .number(sample.minimum),
    ]
  }

  static let header = [
    "policy", "full", "cached", "FLOP ratio", "seconds", "speed-up", "PSNR dB", "SSIM", "cache", "peak memory",
  ]

  var row: [String] {
    [
      policy.name, DecimalText.fixed(fullSteps.mean, digits: 1), DecimalText.fixed(cachedSteps.mean, digits: 1),
      DecimalText.fixed(operationsRatio.mean, digits: 2), Self.text(seconds, 2), Self.text(speedUp, 2),
      Self.text(psnr, 2), Self.text(ssim, 4), "\(ByteCount(cacheBytes))",
      peakResidentBytes.map { "\(ByteCount($0))" } ?? "",
    ]
  }

  /// The mean with its standard error; nothing for no values.
  static func text(_ sample: Sample, _ digits: Int, signed: Bool = false) -> String {
    guard !sample.values.isEmpty else { return "" }
    let sign = signed && sample.mean >= 0 ? "+" : ""
    let error = sample.values.count > 1 ? " ± \(DecimalText.fixed(sample.standardError, digits: digits))" : ""
    return sign + DecimalText.fixed(sample.mean, digits: digits) + error
  }
}
