import ArgumentParser
import FeatureCaching
import Glibc
import Measuring
import StrictJSON
import Tensors

/// `Benchmarks step`: full and cached steps of transformers in the sizes of released ones.
struct Step: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures full and cached steps in real sizes with random weights, beside the CPU's limit.",
    discussion: """
      The limit is what the CPU's multiply-add instructions do on registers alone, measured in the same run, between the \
      steps. The cached steps are ClusCa's with the family's settings. Of FLUX and HunyuanVideo two blocks of each \
      kind are timed, and one of each compared; the whole model's times are theirs, as often as it has them.
      """)

  @Option(
    parsing: .upToNextOption, help: "What to time: \(StepModel.allCases.map(\.rawValue).joined(separator: ", ")).")
  var models: [StepModel] = [.dit, .flux512]

  @Option(help: "bfloat16, float32 or int8.")
  var dtype: Precision = .bfloat16

  @Option(help: "In what the cache keeps outputs: float32 or bfloat16.")
  var outputs = FeaturePrecision.float32

  @Option(help: "In what the cache keeps differences: float32 or bfloat16.")
  var differences = FeaturePrecision.float32

  @Option(help: "How often each step is timed.")
  var rounds = 5

  @Option(
    help: "A Python with PyTorch and diffusers (Tests/Benchmarks/PyTorch/requirements.txt), to time theirs by turns.")
  var python: String?

  @Option(
    help: "The program that Tests/Benchmarks/StableDiffusionCpp builds, to time its FLUX by turns, in 8 bits with q8_0."
  )
  var stableDiffusionCpp: String?

  @Option(help: "Threads to compute with.")
  var threads: Int?

  enum RepeatedKind: String, ExpressibleByArgument { case full, cached }

  @Option(help: "Measures nothing, but repeats such steps until it is ended, for a profiler: full or cached.")
  var repeating: RepeatedKind?

  func validate() throws {
    guard (1...9).contains(rounds) else { throw ValidationError("--rounds must be 1 to 9") }
    guard dtype != .int8 || python == nil else {
      throw ValidationError("--python is for bfloat16 and float32: PyTorch has no such step in 8 bits")
    }
    guard !models.isEmpty else { throw ValidationError("--models needs one at least") }
    guard threads.map({ (1...1024).contains($0) }) ?? true else { throw ValidationError("--threads must be 1 to 1024") }
  }

  func run() throws {
    if let threads { ThreadPool.shared.setThreads(threads) }
    if let repeating { return try repeatSteps(repeating) }
    var rows = [
      [
        "model", "full s", "median", "GF/s", "of limit", "keeping", "cached ms", "median", "of full", "of its FLOPs",
        "before s",
      ]
    ]
    var runs = [["50 steps", "interval", "times as fast by operations", "by time", "share"]]
    var comparisons = [["full step of the blocks timed", "by", "s", "median", "times ours", "median"]]
    var results: [JSONValue] = []
    for model in models {
      Report.note("\(model.rawValue): making weights")
      let sample = try TimedSample(model, dtype, kept: SeriesPrecision(output: outputs, differences: differences))
      var limit = Sample()
      let others = try others(for: model)
      defer { for other in others { other.stop() } }
      for _ in 0..<3 { sample.cycle(isTimed: false) }
      for round in 0..<rounds {
        limit.values.append(MachineLimit.operationsPerSecond(dtype))
        sample.uncachedStep()
        for _ in 0..<3 { sample.cycle(isTimed: true) }
        for other in others { try other.measure() }
        Report.note("\(model.rawValue): round \(round + 1) of \(rounds)")
      }
      rows.append(Self.row(sample, limit))
      for interval in model.reckonedIntervals {
        let speedUp = sample.speedUp(interval: interval)
        runs.append([
          model.rawValue, "\(interval)", Report.fixed(speedUp.operations, 2), Report.fixed(speedUp.time, 2),
          Report.fixed(speedUp.time / speedUp.operations, 3),
        ])
      }
      comparisons += others.map { other in
        let ratio = other.times.ratio(to: sample.uncached.compared)
        return [
          model.rawValue, other.name, Report.fixed(other.times.minimum, 3), Report.fixed(other.times.median, 3),
          Report.fixed(other.times.minimum / sample.uncached.compared.minimum, 2), Report.fixed(ratio.median, 2),
        ]
      }
      results.append(.object(Self.json(sample, limit, others)))
    }
    Report.table(rows)
    if runs.count > 1 { Report.table(runs) }
    if comparisons.count > 1 { Report.table(comparisons) }
    Report.json([
      "benchmark": "step", "machine": .object(Report.machine), "dtype": .string(dtype.rawValue),
      "outputs": .string(outputs.rawValue), "differences": .string(differences.rawValue),
      "rounds": .integer(rounds), "models": .array(results),
    ])
  }

  private func others(for model: StepModel) throws -> [OtherProgram] {
    var others: [OtherProgram] = []
    if let python {
      for isCompiled in [false, true] {
        Report.note("\(model.rawValue): warming up PyTorch")
        others.append(
          try .pyTorch(
            python: python, script: "steps.py", subject: [model.rawValue], precision: dtype, isCompiled: isCompiled))
      }
    }
    if let stableDiffusionCpp, model.isFlux {
      Report.note("\(model.rawValue): warming up stable-diffusion.cpp")
      others.append(try .stableDiffusionCpp(stableDiffusionCpp, model: model.rawValue, precision: dtype))
    }
    return others
  }

  private func repeatSteps(_ kind: RepeatedKind) throws {
    let sample = try TimedSample(models[0], dtype, kept: SeriesPrecision(output: outputs, differences: differences))
    Report.note("\(models[0].rawValue): process \(getpid()) repeats \(kind.rawValue) steps")
    sample.repeatForever(kind)
  }

  private static func row(_ sample: TimedSample, _ limit: Sample) -> [String] {
    let full = sample.uncached.whole
    let cachedTimes = sample.shownCached
    let cached = cachedTimes.whole(sample.shape, \.minimum)
    let rate = sample.operations / sample.uncached.compared.minimum
    return [
      sample.shape.rawValue, Report.fixed(full.minimum, 3), Report.fixed(full.median, 3), Report.fixed(rate / 1e9, 1),
      Report.fixed(rate / limit.maximum, 3), Report.fixed(sample.full.whole.minimum / full.minimum, 3),
      Report.fixed(1000 * cached, 1), Report.fixed(1000 * cachedTimes.whole(sample.shape, \.median), 1),
      Report.fixed(cached / full.minimum, 4), Report.fixed(sample.cachedShareOfOperations, 4),
      Report.fixed(sample.preparation, 2),
    ]
  }

  private static func json(_ sample: TimedSample, _ limit: Sample, _ others: [OtherProgram]) -> JSONObject {
    let cached = sample.shownCached
    func wholeCached(_ time: (Sample) -> Double) -> Double { cached.whole(sample.shape, time) }
    func times(_ full: FullStepTimes) -> JSONValue {
      [
        "compared_seconds": full.compared.timeJSON, "whole_model_seconds": full.whole.timeJSON,
        "processor_seconds": full.processor.timeJSON, "blocks": .array(full.blocks.map(\.timeJSON)),
      ]
    }
    return [
      "name": .string(sample.shape.rawValue), "title": .string(sample.shape.title), "full": times(sample.uncached),
      "full_keeping_features": times(sample.full),
      "fifty_steps": .array(
        sample.shape.reckonedIntervals.map { interval in
          let speedUp = sample.speedUp(interval: interval)
          return [
            "interval": .integer(interval), "times_as_fast_by_operations": .number(speedUp.operations),
            "times_as_fast": .number(speedUp.time),
          ]
        }),
      "cached": [
        "seconds": cached.all.timeJSON, "seconds_by_a_double_block": cached.double.timeJSON,
        "seconds_by_a_single_block": cached.single.timeJSON,
        "whole_model_seconds": [
          "minimum": .number(wholeCached(\.minimum)), "median": .number(wholeCached(\.median)),
        ],
      ],
      "operations": .number(sample.operations),
      "limit_gflops": ["maximum": .number(limit.maximum / 1e9), "median": .number(limit.median / 1e9)],
      "share_of_limit": .number(sample.operations / sample.uncached.compared.minimum / limit.maximum),
      "median_share_of_limit": .number(sample.operations / sample.uncached.compared.median / limit.median),
      "cached_share_of_full": .number(
        wholeCached(\.minimum) / sample.uncached.whole.minimum),
      "cached_share_of_operations": .number(sample.cachedShareOfOperations),
      "seconds_before_the_first_step": .number(sample.preparation),
      "others": .array(
        others.map { other in
          [
            "name": .string(other.name), "versions": .string(other.versions), "seconds": other.times.timeJSON,
            "times_ours": .number(other.times.minimum / sample.uncached.compared.minimum),
            "median_times_ours": .number(other.times.ratio(to: sample.uncached.compared).median),
          ]
        }),
    ]
  }
}

extension FeaturePrecision: ExpressibleByArgument {}
