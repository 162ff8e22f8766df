import Tensors

/// Computes every step in full: the reference for all others.
public struct NoCaching: FeatureCachePolicy {
  public init() {}

  public var name: String { "none" }
  public func schedule(steps: Int) -> any StepSchedule { FixedSchedule { _ in .full } }
  public func makeCache(_ setup: CacheSetup) -> any FeatureCache { ComputingCache() }
  public func byteCount(_ shape: BranchShape) -> Int { 0 }
  public func computedTokens(_ shape: BranchShape, at step: PlannedStep) -> Int { shape.tokens }
}
