/// Reuses the outputs of the last full step as they are (arXiv 2407.01425), with the schedule that the other policies have.
///
/// FORA as published begins with one full step: give it a schedule of one enhanced step for that.
public struct FORA: FeatureCachePolicy {
  private let reuse: TaylorSeer

  public init(schedule: IntervalSchedule) {
    reuse = TaylorSeer(schedule: schedule, maximumOrder: 0)
  }

  public var name: String { "fora" }
  public func schedule(steps: Int) -> any StepSchedule { reuse.schedule(steps: steps) }
  public var cutChain: CutChain? { reuse.cutChain }
  public func makeCache(_ setup: CacheSetup) -> any FeatureCache { reuse.makeCache(setup) }
  public func byteCount(_ shape: BranchShape) -> Int { reuse.byteCount(shape) }
  public func computedTokens(_ shape: BranchShape, at step: PlannedStep) -> Int {
    reuse.computedTokens(shape, at: step)
  }
}
