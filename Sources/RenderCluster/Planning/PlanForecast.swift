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

  /// - Parameters:
  ///   - cachedOperations: of each block at a cached step of one sample.
  ///   - samplesInFlight: as asked for.
  public init(
    _ plan: StagePlan, blocks: [BlockCost], cachedOperations: [Int], workers: [WorkerCapacity], fullSteps: Int,
    cachedSteps: Int, rows: Int, samplesInFlight: Int
  ) {
    precondition(blocks.count == cachedOperations.count, "each block has its operations")
    self.plan = plan
    self.fullSteps = fullSteps
    self.cachedSteps = cachedSteps
    self.rows = rows
    self.samplesInFlight = max(1, min(samplesInFlight, plan.samples))
    stages = plan.stages.map { stage in
      let worker = workers.first { $0.name == stage.worker }
      let cached = worker?.seconds(
        operations: cachedOperations[stage.blocks].reduce(0, +),
        handingOver: blocks[stage.blocks.upperBound - 1].stateBytes)
      return StageSeconds(full: stage.seconds, cached: cached ?? stage.seconds)
    }
  }

  /// Seconds of one picture from its first step to its last with nothing else in flight, the samples of a step one after
  /// the other.
  public var secondsAlone: Double {
    stages.reduce(0) { $0 + busy($1) }
  }

  /// Seconds from picture to picture when enough are in flight, full and cached steps mixed.
  public var secondsPerPicture: Double {
    let busy = stages.map(busy)
    // With fewer samples than stages, each waits for its own way through all of them.
    return max(busy.max() ?? 0, busy.reduce(0, +) / Double(samplesInFlight))
  }

  /// Seconds that a picture keeps a stage busy.
  private func busy(_ stage: StageSeconds) -> Double {
    Double(rows) * (Double(fullSteps) * stage.full + Double(cachedSteps) * stage.cached)
  }

  public var picturesPerHour: Double { secondsPerPicture > 0 ? 3600 / secondsPerPicture : 0 }
}
