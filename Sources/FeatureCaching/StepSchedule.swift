/// Decides the kinds of a run's steps, one after the other.
///
/// Where kinds hang on numbers, they are decided at one place, by whoever leads the run, and sent to all stages: two
/// machines that each decided for themselves could differ by a rounding.
public protocol StepSchedule: Sendable {
  /// Whether the kind of the next step hangs on a signal of its own: ``FeatureCache/measure(_:modulated:)`` gives it
  /// before the step is decided.
  var needsSignal: Bool { get }
  /// The kind of the next step; the first is full. Steps come in their order.
  ///
  /// - Parameter signal: what was measured for this step, the mean over its samples; nil if nothing was, or could not be.
  mutating func next(signal: Float?) -> StepKind
  /// Takes what a step found out about itself while it was computed, the mean over its samples; nil if nothing.
  mutating func finish(signal: Float?)
}

extension StepSchedule {
  public mutating func finish(signal: Float?) {}
}

/// Kinds that are known before the run.
public struct FixedSchedule: StepSchedule {
  private let kind: @Sendable (Int) -> StepKind
  private var step = 0

  /// - Parameter kind: of each step, from 0.
  public init(_ kind: @escaping @Sendable (Int) -> StepKind) { self.kind = kind }

  public var needsSignal: Bool { false }

  public mutating func next(signal: Float?) -> StepKind {
    defer { step += 1 }
    return kind(step)
  }
}
