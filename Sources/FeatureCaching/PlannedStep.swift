/// A step of a run, for those who count costs.
public struct PlannedStep: Sendable, Hashable {
  /// From 0.
  public var index: Int
  /// The steps of the run.
  public var steps: Int
  public var kind: StepKind

  public init(index: Int, of steps: Int, kind: StepKind) {
    self.index = index
    self.steps = steps
    self.kind = kind
  }
}

extension FeatureCachePolicy {
  /// The steps of a run as far as they are known before it. Steps that hang on numbers of the run are taken as they are
  /// without any: full where a distance is measured first, accepted where a forecast is checked afterwards.
  public func plannedSteps(_ steps: Int) -> [PlannedStep] {
    var schedule = schedule(steps: steps)
    return (0..<steps).map { PlannedStep(index: $0, of: steps, kind: schedule.next(signal: nil)) }
  }

  /// Operations of a branch at a step, forecasts left out: they cost memory traffic.
  public func computedOperations(_ shape: BranchShape, at step: PlannedStep) -> Int {
    let tokens = computedTokens(shape, at: step)
    if tokens >= shape.tokens { return shape.operations }
    return shape.rowOperations / shape.tokens * tokens
  }
}
