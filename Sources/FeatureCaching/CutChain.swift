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

  /// The most cached steps whose forecasts are summed at once: with more, what one pass over the memory saves would be little
  /// beside what the sums take themselves.
  private static let mostSteps = 8

  /// The most cached steps whose forecasts are kept at once.
  public var mostCutSteps: Int { min(schedule.interval - 1, Self.mostSteps) }

  public func isCut(_ step: Int) -> Bool { !schedule.kind(ofStep: step).isFull }

  /// The cached steps from one on whose forecasts are summed at once, in a run of so many steps; none if that is full.
  public func cutSteps(from first: Int, of steps: Int) -> Range<Int> {
    let end = max(first, min(steps, first + Self.mostSteps))
    return first..<((first..<end).first { !isCut($0) } ?? end)
  }

  /// Those whose sums pass through the stages behind a step: behind a full one, and behind the last of those before.
  public func cutSteps(behind step: Int, of steps: Int) -> Range<Int> {
    if case .cached(let distance) = schedule.kind(ofStep: step), distance % Self.mostSteps != 0 { return 0..<0 }
    return cutSteps(from: step + 1, of: steps)
  }
}
