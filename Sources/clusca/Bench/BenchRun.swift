import FeatureCaching
import Measuring
import Media
import Rendering
import StrictJSON
import Tensors

/// All prompts by all policies, measured one after the other; what an earlier run has measured is taken over.
struct BenchRun {
  let policies: [BenchPolicy]
  let model: any RenderModel
  let isQuiet: Bool
  /// By picture, then by policy, the reference first.
  private(set) var entries: [[BenchEntry]]
  /// What times hang on beside the settings.
  let conditions: JSONObject

  /// - Parameters:
  ///   - pictures: without caching.
  ///   - isForced: whether nothing is taken over.
  /// - Throws: ``CommandFailure`` if the folder holds something else.
  init(
    _ pictures: [PictureSettings], policies: [BenchPolicy], folder: String, model: any RenderModel, isForced: Bool,
    isQuiet: Bool
  ) throws {
    self.policies = policies
    self.model = model
    self.isQuiet = isQuiet
    conditions = [
      "clusca": .string(Version.current), "cpu": Processor().model.map(JSONValue.string) ?? .null,
      "kernels": .string(ComputeBackEnd.instructionSet), "openblas": .string(ComputeBackEnd.openBLAS),
      "threads": .integer(ThreadPool.shared.threads),
    ]
    entries = pictures.enumerated().map { index, settings in
      policies.map { policy in
        var settings = settings
        settings.cache = policy.cache
        settings.steps = policy.steps ?? settings.steps
        return BenchEntry(policy: policy, index: index, settings: settings, folder: folder)
      }
    }
    guard !isForced else { return }
    for picture in entries.indices {
      for policy in policies.indices { _ = try entries[picture][policy].resume(conditions) }
      // Distances are to a picture that is there.
      if entries[picture][0].measurement == nil {
        for policy in policies.indices { entries[picture][policy].measurement = nil }
      }
    }
  }

  private var missing: [BenchEntry] { entries.flatMap { $0.filter { $0.measurement == nil } } }

  /// Measures whatever is missing.
  mutating func measure() async throws {
    let missing = missing
    guard let first = missing.first else { return }
    let done = entries.count * policies.count - missing.count
    if done > 0, !isQuiet { StandardError.write("clusca: \(done) pictures are measured already.") }
    let maker = PictureMaker(model: model, count: missing.count, isQuiet: isQuiet)
    let settings = missing.map(\.settings)
    let session = try await maker.session(settings, maker.transformerWeights(settings))
    try await warmUp(first.settings, maker, session)
    var number = 0
    for picture in entries.indices where entries[picture].contains(where: { $0.measurement == nil }) {
      let watch = Stopwatch()
      // Another policy begins each time, so that none always follows the same one; the reference is needed first.
      let others = (1..<policies.count).map { 1 + ($0 + picture) % (policies.count - 1) }
      for policy in [0] + others where entries[picture][policy].measurement == nil {
        number += 1
        try await measure(picture, policy, number, maker, session)
      }
      if !isQuiet {
        StandardError.write(
          "clusca: prompt \(picture + 1) of \(entries.count), \(DecimalText.fixed(watch.seconds, digits: 1)) s")
      }
    }
  }

  /// The first picture of a process pays for pages that all others find ready.
  private func warmUp(_ settings: PictureSettings, _ maker: PictureMaker, _ session: RenderSession) async throws {
    var settings = settings
    settings.steps = min(2, settings.steps)
    _ = try await PictureMaker(model: model, count: 1, isQuiet: true).make(settings, number: 1, session)
  }

  private mutating func measure(
    _ picture: Int, _ policy: Int, _ number: Int, _ maker: PictureMaker, _ session: RenderSession
  ) async throws {
    let settings = entries[picture][policy].settings
    ProcessMemory.resetPeak()
    let watch = Stopwatch()
    var steps: [(kind: StepKind, seconds: Double)] = []
    var processorSeconds = 0.0
    let made = try await maker.make(settings, number: number, session) { step, _ in
      steps.append((step.kind, step.duration / .seconds(1)))
      processorSeconds = watch.processorSeconds
    }
    var measurement = BenchMeasurement(made, steps: steps, processorSeconds: processorSeconds)
    let rendered = try Picture(pixels: made.pixels)
    if policy > 0 { try measurement.compare(rendered, to: entries[picture][0].picture()) }
    try entries[picture][policy].finish(rendered, measurement, conditions)
  }
}
