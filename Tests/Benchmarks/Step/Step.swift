import ArgumentParser
import FeatureCaching
import Measuring
import StrictJSON
import Tensors

/// `Benchmarks step`: full and cached steps of transformers in the sizes of released ones.
struct Step: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures full and cached steps in real sizes with random weights, beside the CPU's limit.",
    discussion: """
      The limit is what the CPU's multiply-add instructions do on registers alone, measured in the same run, between the \
      steps. The cached steps are ClusCa's with the family's settings. Of FLUX and HunyuanVideo one block of each kind is \
      timed; the whole model's times are theirs, as often as it has them.
      """)

  @Option(
    parsing: .upToNextOption, help: "What to time: \(StepModel.allCases.map(\.rawValue).joined(separator: ", ")).")
  var models: [StepModel] = [.dit, .flux512]

  @Option(help: "bfloat16 or float32.")
  var dtype: Precision = .bfloat16

  @Option(help: "How often each step is timed.")
  var rounds = 5

  @Option(
    help: "A Python with PyTorch and diffusers (Tests/Benchmarks/PyTorch/requirements.txt), to time theirs by turns.")
  var python: String?

  @Option(help: "Threads to compute with.")
  var threads: Int?

  func validate() throws {
    guard (1...9).contains(rounds) else { throw ValidationError("--rounds must be 1 to 9") }
    guard threads.map({ (1...1024).contains($0) }) ?? true else { throw ValidationError("--threads must be 1 to 1024") }
  }

  func run() throws {
    if let threads { ThreadPool.shared.setThreads(threads) }
    var rows = [
      ["model", "full s", "median", "GF/s", "of limit", "cached ms", "median", "of full", "of its FLOPs", "before s"]
    ]
    var comparisons = [["full step of the blocks timed", "by", "s", "median", "times ours", "median"]]
    var results: [JSONValue] = []
    for model in models {
      Report.note("\(model.rawValue): making weights")
      let sample = try TimedSample(model, dtype)
      var limit = Sample()
      let others = try [false, true].compactMap { isCompiled in
        try python.map {
          Report.note("\(model.rawValue): warming up PyTorch")
          return try PyTorchStep(
            python: $0, model: model.rawValue, dtype: dtype.rawValue, isCompiled: isCompiled,
            threads: ThreadPool.shared.threads)
        }
      }
      defer { for other in others { other.stop() } }
      for index in 0..<3 { sample.step(index, .full, isTimed: false) }
      sample.step(3, .cached(distance: 1), isTimed: false)
      for round in 0..<rounds {
        limit.values.append(MachineLimit.operationsPerSecond(dtype))
        let index = 4 + 5 * round
        sample.step(index, .full, isTimed: true)
        for distance in 1...3 { sample.step(index + distance, .cached(distance: distance), isTimed: true) }
        for other in others { try other.step() }
        Report.note("\(model.rawValue): round \(round + 1) of \(rounds)")
      }
      rows.append(Self.row(sample, limit))
      comparisons += others.map { other in
        let ratio = other.times.ratio(to: sample.full.total)
        return [
          model.rawValue, other.name, Report.fixed(other.times.minimum, 3), Report.fixed(other.times.median, 3),
          Report.fixed(other.times.minimum / sample.full.total.minimum, 2), Report.fixed(ratio.median, 2),
        ]
      }
      results.append(.object(Self.json(sample, limit, others)))
    }
    Report.table(rows)
    if comparisons.count > 1 { Report.table(comparisons) }
    Report.json([
      "benchmark": "step", "machine": .object(Report.machine), "dtype": .string(dtype.rawValue),
      "rounds": .integer(rounds), "models": .array(results),
    ])
  }

  private static func row(_ sample: TimedSample, _ limit: Sample) -> [String] {
    let (full, cached) = (
      sample.full.whole(sample.shape, \.minimum), sample.cached.whole(sample.shape, \.minimum)
    )
    let rate = sample.operations / sample.full.total.minimum
    let operations = sample.wholeOperations
    return [
      sample.shape.rawValue, Report.fixed(full, 3), Report.fixed(sample.full.whole(sample.shape, \.median), 3),
      Report.fixed(rate / 1e9, 1), Report.fixed(rate / limit.maximum, 3), Report.fixed(1000 * cached, 1),
      Report.fixed(1000 * sample.cached.whole(sample.shape, \.median), 1), Report.fixed(cached / full, 4),
      Report.fixed(operations.cached / operations.full, 4), Report.fixed(sample.preparation, 2),
    ]
  }

  private static func json(_ sample: TimedSample, _ limit: Sample, _ others: [PyTorchStep]) -> JSONObject {
    let (full, cached, operations) = (sample.full, sample.cached, sample.wholeOperations)
    func times(_ times: StepTimes) -> JSONValue {
      [
        "seconds": times.total.timeJSON, "processor_seconds": times.processor.timeJSON,
        "blocks": .array(times.blocks.map(\.timeJSON)),
        "whole_model_seconds": [
          "minimum": .number(times.whole(sample.shape, \.minimum)),
          "median": .number(times.whole(sample.shape, \.median)),
        ],
      ]
    }
    return [
      "name": .string(sample.shape.rawValue), "title": .string(sample.shape.title), "full": times(full),
      "cached": times(cached), "operations": .number(sample.operations),
      "limit_gflops": ["maximum": .number(limit.maximum / 1e9), "median": .number(limit.median / 1e9)],
      "share_of_limit": .number(sample.operations / full.total.minimum / limit.maximum),
      "median_share_of_limit": .number(sample.operations / full.total.median / limit.median),
      "cached_share_of_full": .number(
        cached.whole(sample.shape, \.minimum) / full.whole(sample.shape, \.minimum)),
      "cached_share_of_operations": .number(operations.cached / operations.full),
      "seconds_before_the_first_step": .number(sample.preparation),
      "others": .array(
        others.map { other in
          [
            "name": .string(other.name), "versions": .string(other.versions), "seconds": other.times.timeJSON,
            "times_ours": .number(other.times.minimum / full.total.minimum),
            "median_times_ours": .number(other.times.ratio(to: full.total).median),
          ]
        }),
    ]
  }
}
