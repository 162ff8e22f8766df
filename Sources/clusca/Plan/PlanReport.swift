import FeatureCaching
import RenderCluster
import Rendering
import StrictJSON
import Tensors

/// Plans of stages for one kind of picture, a plan for each replica of the model, and what they promise.
struct PlanReport {
  let settings: PictureSettings
  let blocks: [BlockCost]
  /// The bytes that every stage takes beside what its blocks do.
  let stageBytes: Int
  private let workers: [WorkerCapacity]
  let replicas: [PlanForecast]

  /// - Parameter samples: in flight at once, in all replicas.
  /// - Throws: `StagePlanFailure`; what is wrong with the checkpoint.
  init(
    _ model: any RenderModel, _ settings: PictureSettings, workers: [WorkerCapacity], samples: Int, mostReplicas: Int
  ) throws {
    let request = settings.request
    let grid = model.grid(request)
    let (policy, tokens) = (request.cache.policy, request.textTokens)
    blocks = try model.blockCosts(
      grid: grid, textTokens: tokens, policy: policy, steps: request.steps, precision: settings.precision)
    stageBytes = try model.stageBytes(settings.precision)
    let plans = try ReplicaPlanner.plan(
      blocks: blocks, workers: workers, samples: samples, overheadBytes: stageBytes, most: mostReplicas)
    let full = policy.plannedSteps(request.steps).count { $0.kind.isFull }
    let cachedOperations = try model.cachedOperations(
      grid: grid, textTokens: tokens, policy: policy, steps: request.steps, precision: settings.precision)
    replicas = plans.enumerated().map { [blocks] number, plan in
      PlanForecast(
        plan, blocks: blocks, cachedOperations: cachedOperations, workers: workers, fullSteps: full,
        cachedSteps: request.steps - full, stepsAhead: policy.cutChain?.mostCutSteps ?? 0, rows: request.rows,
        samplesInFlight: (samples + plans.count - 1 - number) / plans.count)
    }
    self.settings = settings
    self.workers = workers
  }

  /// What goes over the link behind a stage.
  private func traffic(_ stage: StagePlan.Stage) -> BlockCost { blocks[stage.blocks.upperBound - 1] }

  /// Bytes a second of a stage's link.
  private func link(_ stage: StagePlan.Stage) -> Double {
    workers.first { $0.name == stage.worker }?.bytesPerSecond ?? 0
  }

  /// What a stage's worker takes with all samples in flight, or with those of one picture if these are more.
  private func memory(_ stage: StagePlan.Stage, _ replica: PlanForecast) -> Int {
    let samples = max(replica.samplesInFlight, (replica.rows + replicas.count - 1) / replicas.count)
    return stageBytes + stage.weightBytes + stage.activationBytes + samples * (stage.cacheBytes + stage.transitBytes)
  }

  /// Whether the kinds of steps are known only while they are computed.
  private var hangsOnThePicture: Bool {
    !(settings.request.cache.policy.schedule(steps: settings.steps) is FixedSchedule)
  }

  // MARK: - What all replicas do together

  private var picturesPerHour: Double { replicas.reduce(0) { $0 + $1.picturesPerHour } }

  private var samplesInFlight: Int { replicas.reduce(0) { $0 + $1.samplesInFlight } }

  /// Of a full step of a sample, in the slowest replica.
  private var latency: Double { replicas.map(\.plan.latency).max() ?? 0 }

  /// Seconds from one sample's full step to the next one's.
  private var interval: Double { 1 / replicas.reduce(0) { $0 + 1 / $1.plan.interval } }

  /// In the slowest replica.
  private var secondsAlone: Double { replicas.map(\.secondsAlone).max() ?? 0 }

  /// All replicas take the same steps.
  private var steps: PlanForecast { replicas[0] }

  private var leftOut: [StagePlan.LeftOut] { replicas.flatMap(\.plan.leftOut) }

  // MARK: - Text

  var lines: [String] {
    let header = [
      "worker", "blocks", "weights", "cache", "transit", "memory", "samples", "hands over", "cached", "ahead", "link",
      "full step",
      "cached step",
    ]
    let rows = replicas.flatMap { replica in
      zip(replica.plan.stages, replica.stages).map { stage, seconds in
        [
          stage.worker.printable(), "\(stage.blocks.lowerBound)–\(stage.blocks.upperBound - 1)",
          "\(ByteCount(stage.weightBytes))", "\(ByteCount(stage.cacheBytes))", "\(ByteCount(stage.transitBytes))",
          "\(ByteCount(memory(stage, replica)))",
          stage.samples == StagePlan.mostSamples ? "any" : "\(stage.samples)",
          "\(ByteCount(traffic(stage).stateBytes))",
          steps.cachedSteps > 0 ? "\(ByteCount(traffic(stage).cachedStateBytes))" : "",
          traffic(stage).forecastBytes > 0 ? "\(ByteCount(traffic(stage).forecastBytes))" : "",
          "\(ByteCount(Int(link(stage))))/s", Self.text(seconds.full),
          steps.cachedSteps > 0 ? Self.text(seconds.cached) : "",
        ]
      }
    }
    var lines = ColumnTable.lines([header] + rows, rightAligned: Set(1..<header.count))
    lines.append("")
    if replicas.count > 1 {
      lines.append("\(replicas.count) pipelines side by side, each with all blocks: every one does pictures of its own")
    }
    lines.append(
      "cache, transit and hand-over are those of one sample; transit is what comes from the stage before and goes to the next"
    )
    lines.append(
      "memory is all that a worker takes for \(samplesInFlight > steps.rows ? "the samples in flight" : "a picture"), with "
        + "\(ByteCount(stageBytes)) of its own and what blocks compute on their way")
    if steps.cachedSteps > 0 {
      lines.append(
        "full steps hand over what is said first, cached ones the second; ahead passes, for each cached step, behind the full "
          + "one before")
    }
    if hangsOnThePicture {
      lines.append(
        "which steps of \(settings.cache.method.rawValue) are cached hangs on the picture; those that are measured first are "
          + "taken as full here")
    }
    lines += leftOut.map { "left out: \($0.worker.printable()), since \($0.reason)" }
    lines.append("")
    return lines + Table.lines(summary)
  }

  private var summary: [(label: String, value: String)] {
    [
      ("full step of a sample", "\(Self.text(latency)), then one every \(Self.text(interval))"),
      (
        "picture alone",
        "\(Self.text(secondsAlone)) (\(steps.fullSteps) full and \(steps.cachedSteps) cached steps"
          + (steps.rows == 1 ? ")" : ", \(steps.rows) samples each)")
      ),
      (
        "pictures an hour",
        "\(Self.digits(picturesPerHour)) with \(samplesInFlight) "
          + (samplesInFlight == 1 ? "sample in flight" : "samples in flight")
      ),
    ]
  }

  /// With three digits that count.
  private static func digits(_ value: Double) -> String {
    DecimalText.fixed(value, digits: value >= 100 ? 0 : value >= 10 ? 1 : 2)
  }

  private static func text(_ seconds: Double) -> String {
    if seconds >= 1 { return "\(digits(seconds)) s" }
    return seconds >= 1e-3 ? "\(digits(seconds * 1e3)) ms" : "\(digits(seconds * 1e6)) µs"
  }

  // MARK: - JSON

  var json: JSONObject {
    [
      "settings": .object(settings.json), "stage_bytes": .integer(stageBytes),
      "replicas": .integer(replicas.count),
      "stages": .array(
        replicas.enumerated().flatMap { number, replica in
          zip(replica.plan.stages, replica.stages).map { stage, seconds in
            [
              "worker": .string(stage.worker), "replica": .integer(number),
              "blocks": [.integer(stage.blocks.lowerBound), .integer(stage.blocks.upperBound)],
              "weight_bytes": .integer(stage.weightBytes), "cache_bytes": .integer(stage.cacheBytes),
              "transit_bytes": .integer(stage.transitBytes), "activation_bytes": .integer(stage.activationBytes),
              "memory_bytes": .integer(memory(stage, replica)),
              "samples": .integer(stage.samples), "hand_over_bytes": .integer(traffic(stage).stateBytes),
              "cached_hand_over_bytes": .integer(traffic(stage).cachedStateBytes),
              "forecast_bytes": .integer(traffic(stage).forecastBytes),
              "link_bytes_per_second": .number(link(stage)),
              "full_step_seconds": .number(seconds.full), "cached_step_seconds": .number(seconds.cached),
            ]
          }
        }),
      "left_out": .array(leftOut.map { ["worker": .string($0.worker), "reason": .string($0.reason)] }),
      "full_steps": .integer(steps.fullSteps), "cached_steps": .integer(steps.cachedSteps),
      "samples_per_picture": .integer(steps.rows), "samples_in_flight": .integer(samplesInFlight),
      "full_step_seconds": .number(latency), "full_step_interval_seconds": .number(interval),
      "picture_seconds": .number(secondsAlone), "pictures_per_hour": .number(picturesPerHour),
    ]
  }
}
