/// What passes from stage to stage at the cached steps of a policy whose forecasts can be summed before the step begins: no
/// hidden states, but what fresh tokens have changed (``HandedChange``).
public struct CutChain: Sendable, Hashable {
  /// Which steps are full.
  public var schedule: IntervalSchedule
  /// The most tokens that a branch computes anew at a cached step; 0 if it only forecasts, so that nothing passes at all.
  public var freshTokens: Int
  /// Whether the other tokens of a cluster follow its fresh one.
  public var movesClusters: Bool

  public init(schedule: IntervalSchedule, freshTokens: Int = 0, movesClusters: Bool = false) {
    self.schedule = schedule
    self.freshTokens = freshTokens
    self.movesClusters = movesClusters
  }

  /// The most cached steps whose forecasts are summed at once.
  public var mostCutSteps: Int { schedule.interval - 1 }

  public func isCut(_ step: Int) -> Bool { !schedule.kind(ofStep: step).isFull }

  /// The cached steps between a full one and the next, or the end of a run of so many steps.
  public func cutSteps(behind full: Int, of steps: Int) -> Range<Int> {
    let first = full + 1
    return first..<((first..<max(first, steps)).first { !isCut($0) } ?? max(first, steps))
  }
}
