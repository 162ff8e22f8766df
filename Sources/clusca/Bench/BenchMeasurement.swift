import FeatureCaching
import Measuring
import Media
import Rendering
import StrictJSON

/// What one policy gave for one prompt and seed.
struct BenchMeasurement: Sendable, Equatable {
  /// Of all steps, by the clock and of all processors.
  var seconds: Double
  var processorSeconds: Double
  /// Of the full steps by the clock, and of the cached ones.
  var fullSeconds: Double
  var cachedSeconds: Double
  var fullSteps: Int
  var cachedSteps: Int
  var operations: Int
  var cacheBytes: Int
  /// Of the process while it rendered, model included; nil if the system does not tell.
  var peakResidentBytes: Int?
  /// To the picture without caching; infinite for equal pictures, nil for that picture itself.
  var peakSignalToNoiseRatio: Double?
  /// Nil for pictures too small for its window, too.
  var structuralSimilarity: Double?

  /// In decibels, as it counts in means.
  var countedPSNR: Double? { peakSignalToNoiseRatio.map { min($0, Comparison.countedPeakRatio) } }

  /// Compares the picture with that of the reference.
  mutating func compare(_ picture: Picture, to reference: Picture) throws {
    let comparison = try Comparison(picture, reference)
    peakSignalToNoiseRatio = comparison.peakSignalToNoiseRatio
    structuralSimilarity = try? comparison.structuralSimilarity()
  }

  var json: JSONObject {
    [
      "seconds": .number(seconds), "processor_seconds": .number(processorSeconds),
      "full_steps": .integer(fullSteps), "full_step_seconds": .number(fullSeconds),
      "cached_steps": .integer(cachedSteps), "cached_step_seconds": .number(cachedSeconds),
      "flop": .integer(operations), "cache_bytes": .integer(cacheBytes),
      "peak_resident_bytes": peakResidentBytes.map(JSONValue.integer) ?? .null,
      "identical": .bool(peakSignalToNoiseRatio == .infinity),
      "psnr_db": peakSignalToNoiseRatio.flatMap { $0.isFinite ? .number($0) : nil } ?? .null,
      "ssim": structuralSimilarity.map(JSONValue.number) ?? .null,
    ]
  }

  /// Nil for anything but what ``json`` makes.
  init?(_ json: JSONObject) {
    guard let seconds = json["seconds"]?.double, let processorSeconds = json["processor_seconds"]?.double,
      let fullSteps = json["full_steps"]?.int, let fullSeconds = json["full_step_seconds"]?.double,
      let cachedSteps = json["cached_steps"]?.int, let cachedSeconds = json["cached_step_seconds"]?.double,
      let operations = json["flop"]?.int, let cacheBytes = json["cache_bytes"]?.int, seconds > 0
    else { return nil }
    self.seconds = seconds
    self.processorSeconds = processorSeconds
    (self.fullSteps, self.fullSeconds) = (fullSteps, fullSeconds)
    (self.cachedSteps, self.cachedSeconds) = (cachedSteps, cachedSeconds)
    (self.operations, self.cacheBytes) = (operations, cacheBytes)
    peakResidentBytes = json["peak_resident_bytes"]?.int
    peakSignalToNoiseRatio = json["identical"] == true ? .infinity : json["psnr_db"]?.double
    structuralSimilarity = json["ssim"]?.double
  }

  init(_ made: PictureMaker.Made, steps: [(kind: StepKind, seconds: Double)], processorSeconds: Double) {
    seconds = made.denoising / .seconds(1)
    self.processorSeconds = processorSeconds
    fullSeconds = steps.reduce(0) { $0 + ($1.kind.isFull ? $1.seconds : 0) }
    cachedSeconds = steps.reduce(0) { $0 + ($1.kind.isFull ? 0 : $1.seconds) }
    (fullSteps, cachedSteps) = (made.summary.fullSteps, made.summary.cachedSteps)
    (operations, cacheBytes) = (made.summary.operations, made.summary.cacheBytes)
    peakResidentBytes = ProcessMemory.peakResident
  }
}
