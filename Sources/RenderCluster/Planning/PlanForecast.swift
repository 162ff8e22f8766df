import FeatureCaching
import Rendering
import Tensors
import Transformers

/// What a plan of stages promises for pictures of one kind: a forecast from operations and bytes, in which neither text
/// encoders nor the decoder are.
public struct PlanForecast: Sendable, Hashable {
  /// What one stage takes.
  public struct StageSeconds: Sendable, Hashable {
    /// Of a full step of one sample.
    public var full: Double
    /// Of a cached step; the mean over those of a picture.
    public var cached: Double
  }

  public let plan: StagePlan
  /// In the order of the plan's.
  public let stages: [StageSeconds]
  public let fullSteps: Int
  public let cachedSteps: Int
  /// The samples of a picture's step: 2 under classifier-free guidance.
  public let rows: Int
  /// How many samples are in flight: as many as asked for, or as there is room for.
  public let samplesInFlight: Int
  /// Seconds for which a picture's steps keep the busiest link.
  private let linkSeconds: Double
  /// Seconds for which the first cached step behind a full one waits for what is known of it.
  private let lag: Double
  /// How often it does.
  private let lags: Int

  /// - Parameters:
  ///   - cachedOperations: of each block at a cached step of one sample.
  ///   - stepsAhead: of how many cached steps at once what is known passes between stages.
  ///   - samplesInFlight: as asked for.
  public init(
    _ plan: StagePlan, blocks: [BlockCost], cachedOperations: [Int], workers: [WorkerCapacity], fullSteps: Int,
    cachedSteps: Int, stepsAhead: Int = 0, rows: Int, samplesInFlight: Int
  ) {
    precondition(blocks.count == cachedOperations.count, "each block has its operations")
    self.plan = plan
    self.fullSteps = fullSteps
    self.cachedSteps = cachedSteps
    self.rows = rows
    self.samplesInFlight = max(1, min(samplesInFlight, plan.samples))
    let worker = { (stage: StagePlan.Stage) in workers.first { $0.name == stage.worker } }
    let last = { (stage: StagePlan.Stage) in blocks[stage.blocks.upperBound - 1] }
    stages = plan.stages.map { stage in
      let cached = worker(stage)?.seconds(
        operations: cachedOperations[stage.blocks].reduce(0, +), handingOver: last(stage).cachedStateBytes)
      return StageSeconds(full: stage.seconds, cached: cached ?? stage.seconds)
    }
    linkSeconds =
      plan.stages.map { stage in
        let bytes =
          fullSteps * last(stage).stateBytes + cachedSteps * (last(stage).cachedStateBytes + last(stage).forecastBytes)
        return worker(stage)?.seconds(passing: rows * bytes) ?? 0
      }.max() ?? 0
    // What is known passes while the next stage computes the full step.
    lag =
      zip(plan.stages, plan.stages.dropFirst()).map { stage, next in
        let passing = worker(stage)?.seconds(passing: stepsAhead * last(stage).forecastBytes) ?? 0
        return passing - next.seconds
      }.max().map { max(0, $0) } ?? 0
    lags = stepsAhead > 0 ? (cachedSteps + stepsAhead - 1) / stepsAhead : 0
  }

  /// Seconds of one picture from its first step to its last with nothing else in flight, the samples of a step one after
  /// the other.
  public var secondsAlone: Double {
    stages.reduce(0) { $0 + busy($1) } + Double(rows * lags) * lag
  }

  /// Seconds from picture to picture when enough are in flight, full and cached steps mixed.
  public var secondsPerPicture: Double {
    let busiest = max(stages.map(busy).max() ?? 0, linkSeconds)
    // With fewer samples than stages, each waits for its own way through all of them.
    return max(busiest, secondsAlone / Double(samplesInFlight))
  }

  /// Seconds that a picture keeps a stage busy.
  private func busy(_ stage: StageSeconds) -> Double {
    Double(rows) * (Double(fullSteps) * stage.full + Double(cachedSteps) * stage.cached)
  }

  public var picturesPerHour: Double { secondsPerPicture > 0 ? 3600 / secondsPerPicture : 0 }
}
