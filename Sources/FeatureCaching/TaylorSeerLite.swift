import Tensors

/// Forecasts the model's output alone by its Taylor series (TaylorSeer-Lite, the small variant of arXiv 2503.06923): a
/// cached step computes no block, and nothing is kept but one tensor of the latents' size for each order.
public struct TaylorSeerLite: FeatureCachePolicy {
  /// Which steps are full.
  public var schedule: IntervalSchedule
  /// O: the highest order of the differences.
  public var maximumOrder: Int

  public init(schedule: IntervalSchedule, maximumOrder: Int) {
    precondition(maximumOrder >= 0, "an order is not negative")
    self.schedule = schedule
    self.maximumOrder = maximumOrder
  }

  public var name: String { "taylorseer-lite" }
  public func schedule(steps: Int) -> any StepSchedule { schedule.steps }
  public func makeCache(_ setup: CacheSetup) -> any FeatureCache { ComputingCache() }
  public func byteCount(_ shape: BranchShape) -> Int { 0 }
  public func computedTokens(_ shape: BranchShape, at step: PlannedStep) -> Int { step.kind.isFull ? shape.tokens : 0 }

  public func makeOutputForecast() -> OutputForecast? {
    OutputForecast(maximumOrder: maximumOrder, enhancedSteps: schedule.enhancedSteps)
  }

  public func byteCount(ofOutput elements: Int) -> Int { (maximumOrder + 1) * elements * MemoryLayout<Float>.stride }
}
