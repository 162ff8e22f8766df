import Tensors

/// ``ToCa`` that computes no block at every second cached step: the hidden states behind the last block are then those of
/// the step before, and only the output is computed with the new time (DuCa, arXiv 2412.18911).
public struct DuCa: FeatureCachePolicy {
  /// The steps in between.
  public var toCa: ToCa

  public init(_ toCa: ToCa) { self.toCa = toCa }

  public var name: String { "duca" }
  public func schedule(steps: Int) -> any StepSchedule { toCa.schedule(steps: steps) }
  public func makeCache(_ setup: CacheSetup) -> any FeatureCache { ToCaCache(toCa, setup, skipsBlocks: true) }

  public func byteCount(_ shape: BranchShape) -> Int {
    toCa.byteCount(shape) + (shape.branch.block == shape.layout.blocks - 1 ? shape.stateByteCount : 0)
  }

  public func computedTokens(_ shape: BranchShape, at step: PlannedStep) -> Int {
    toCa.rhythm.skipsBlocks(step) ? 0 : toCa.computedTokens(shape, at: step)
  }
}
