import ArgumentParser
import FeatureCaching
import Measuring
import Rendering
import StrictJSON
import Tensors
import Transformers

/// `Benchmarks runs`: whole runs of DiT-XL/2, denoised with ClusCa and without.
struct Runs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures whole runs of DiT-XL/2 with ClusCa and without, beside what their operations promise.",
    discussion: """
      A picture of 256 x 256 with guidance is denoised from noise to the end with random weights, as clusca generate \
      does it, with full steps at each interval. All of a run counts: modulation, clusters, differences, forecasts and the \
      scheduler. A run without caching goes on by a step in front of each full step, so that what else the machine does \
      meets both; the steps it does not come to are reckoned like those it has done.
      """)

  @Option(parsing: .upToNextOption, help: "Distances of full steps.")
  var intervals = [3, 5, 7]

  @Option(help: "Denoising steps.")
  var steps = 50

  @Option(help: "bfloat16, float32 or int8.")
  var dtype: Precision = .bfloat16

  @Option(help: "In what the cache keeps outputs: float32 or bfloat16.")
  var outputs = FeaturePrecision.float32

  @Option(help: "In what the cache keeps differences: float32 or bfloat16.")
  var differences = FeaturePrecision.float32

  @Option(help: "How often each run is timed.")
  var rounds = 3

  @Option(help: "Threads to compute with.")
  var threads: Int?

  func validate() throws {
    guard !intervals.isEmpty, intervals.allSatisfy({ (2...100).contains($0) }) else {
      throw ValidationError("--intervals must be 2 to 100, one at least")
    }
    guard (3...1000).contains(steps) else { throw ValidationError("--steps must be 3 to 1000: fewer are all full") }
    guard (1...99).contains(rounds) else { throw ValidationError("--rounds must be 1 to 99") }
    guard threads.map({ (1...1024).contains($0) }) ?? true else { throw ValidationError("--threads must be 1 to 1024") }
  }

  func run() async throws {
    if let threads { ThreadPool.shared.setThreads(threads) }
    Report.note("making weights")
    let source = try StepModel.dit.makeSample(dtype)
    let subject = try RunSubject(source, steps: steps)
    var runs = intervals.map { interval in
      var settings = StepModel.dit.cache(SeriesPrecision(output: outputs, differences: differences))
      settings.interval = interval
      return TimedRun(interval: interval, policy: settings.policy)
    }
    _ = try await subject.seconds(runs[0].policy)  // weights come near, memory is there
    for round in 0..<rounds {
      for place in runs.indices { runs[place].add(try await subject.seconds(runs[place].policy)) }
      Report.note("round \(round + 1) of \(rounds)")
    }
    var rows = [
      ["interval", "s", "median", "uncached s", "median", "times as fast", "by operations", "share", "from", "to"]
    ]
    var results: [JSONValue] = []
    for run in runs {
      let promised = source.operations(NoCaching(), steps: steps) / source.operations(run.policy, steps: steps)
      let speedUp = run.uncached.ratio(to: run.seconds)
      let share = Sample(values: speedUp.values.map { $0 / promised })
      let times = [run.seconds.minimum, run.seconds.median, run.uncached.minimum, run.uncached.median]
      rows.append(
        ["\(run.interval)"] + (times + [speedUp.median, promised]).map { Report.fixed($0, 2) }
          + [share.median, share.minimum, share.maximum].map { Report.fixed($0, 3) })
      results.append([
        "interval": .integer(run.interval), "seconds": run.seconds.timeJSON, "uncached_seconds": run.uncached.timeJSON,
        "times_as_fast_by_operations": .number(promised), "times_as_fast": .number(speedUp.median),
        "share": [
          "median": .number(share.median), "minimum": .number(share.minimum), "maximum": .number(share.maximum),
        ],
      ])
    }
    Report.table(rows)
    Report.json([
      "benchmark": "runs", "machine": .object(Report.machine), "model": .string(StepModel.dit.title),
      "dtype": .string(dtype.rawValue), "outputs": .string(outputs.rawValue),
      "differences": .string(differences.rawValue), "steps": .integer(steps),
      "rounds": .integer(rounds), "runs": .array(results),
    ])
  }
}

/// Runs with one policy.
private struct TimedRun {
  let interval: Int
  let policy: any FeatureCachePolicy
  /// Of each run, and of the one without caching beside it.
  private(set) var seconds = Sample()
  private(set) var uncached = Sample()

  init(interval: Int, policy: any FeatureCachePolicy) { (self.interval, self.policy) = (interval, policy) }

  mutating func add(_ times: (run: Double, uncached: Double)) {
    seconds.values.append(times.run)
    uncached.values.append(times.uncached)
  }
}

/// What is denoised: a class, led away from none.
private struct RunSubject {
  private let stage: Stage
  private let source: StepSample
  private let schedule: any DenoisingSchedule
  private let noise: Tensor

  init(_ source: StepSample, steps: Int) throws {
    self.source = source
    stage = try Stage(source.model)
    let settings = try PartConfiguration(
      path: "benchmark", json: ["_class_name": "DDIMScheduler", "clip_sample": false])
    schedule = try DDIM(settings).schedule(steps: steps)
    noise = RandomValues.tensor([source.inputs[0].grid.tokens, source.model.latentChannels], seed: 9)
  }

  /// How long a run takes from noise to latents of a picture, and one without caching beside it.
  func seconds(_ policy: any FeatureCachePolicy) async throws -> (run: Double, uncached: Double) {
    var run = steps(policy, job: 0)
    var uncached = steps(NoCaching(), job: 1)
    var (seconds, uncachedSeconds) = (0.0, Sample())
    /// What a step of its own takes.
    func next(_ steps: inout Denoiser.Iterator) async throws -> Double {
      let watch = Stopwatch()
      _ = try await steps.next()
      return watch.seconds
    }
    // The first prepares all.
    let first = try await next(&uncached)
    for step in policy.plannedSteps(schedule.steps) {
      if step.kind.isFull { uncachedSeconds.values.append(try await next(&uncached)) }
      seconds += try await next(&run)
    }
    _ = try await run.next()  // behind the last step its memory is given back
    for row in UInt16(0)..<2 { await stage.close(SampleID(job: 1, row: row)) }
    return (seconds, first + Double(schedule.steps - 1) * uncachedSeconds.mean)
  }

  private func steps(_ policy: any FeatureCachePolicy, job: Int) -> Denoiser.Iterator {
    let guidance = Guidance(inputs: source.inputs[1], scale: 4, columns: 3 * source.model.latentChannels / 4)
    let task = DenoisingTask(
      job: job, latents: noise, schedule: schedule, inputs: source.inputs[0], guidance: guidance, policy: policy,
      choices: { KeyedChoices(seed: 0, row: $0) })
    return Denoiser(task, over: LocalTransport([stage])).makeAsyncIterator()
  }
}

extension StepSample {
  /// Operations of a whole run of one row.
  fileprivate func operations(_ policy: any FeatureCachePolicy, steps: Int) -> Double {
    policy.plannedSteps(steps).reduce(0) { $0 + operations(policy, at: $1) }
  }
}
