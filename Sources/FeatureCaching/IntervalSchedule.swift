/// A few full steps to begin with, then one every `interval` steps (spec: full(s) ⇔ s < E or (s − (E − 1)) mod N = 0).
public struct IntervalSchedule: Sendable, Hashable {
  /// N: the distance of full steps; 1 makes all of them full.
  public var interval: Int
  /// E: the full steps at the beginning, where features change fastest; at least 1.
  public var enhancedSteps: Int

  /// Both are at least 1.
  public init(interval: Int, enhancedSteps: Int) {
    precondition(interval >= 1 && enhancedSteps >= 1, "an interval and a beginning are at least one step")
    self.interval = interval
    self.enhancedSteps = enhancedSteps
  }

  /// The kind of a step, counted from 0; the first ``enhancedSteps`` are full.
  public func kind(ofStep step: Int) -> StepKind {
    let last = enhancedSteps - 1
    if step <= last { return .full }
    let distance = (step - last) % interval
    return distance == 0 ? .full : .cached(distance: distance)
  }

  /// The kinds of a run's steps.
  public var steps: FixedSchedule { FixedSchedule { kind(ofStep: $0) } }
}
