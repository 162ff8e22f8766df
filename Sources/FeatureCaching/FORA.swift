/// Reuses the outputs of the last full step as they are (arXiv 2407.01425), with the schedule that the other policies have.
///
/// FORA as published begins with one full step: give it a schedule of one enhanced step for that.
public struct FORA: FeatureCachePolicy {
  private let reuse: TaylorSeer

  public init(schedule: IntervalSchedule) {
    reuse = TaylorSeer(schedule: schedule, maximumOrder: 0)
  }

  public var name: String { "fora" }
  public var clusterCount: Int? { nil }
  public func kind(ofStep step: Int) -> StepKind { reuse.kind(ofStep: step) }
  public func makeCache(choices: any TokenChoices) -> any FeatureCache { reuse.makeCache(choices: choices) }
  public func byteCount(_ shape: BranchShape) -> Int { reuse.byteCount(shape) }
  public func computedTokens(_ shape: BranchShape) -> Int { 0 }
}
