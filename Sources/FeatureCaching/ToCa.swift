import Tensors

/// Reuses the outputs of the last full step, but computes some tokens of each MLP anew: those that got most attention and
/// waited longest, or random ones (ToCa, arXiv 2410.05317).
public struct ToCa: FeatureCachePolicy {
  public var rhythm: ToCaRhythm
  public var share: FreshShare
  public var selection: Selection

  /// What decides between tokens.
  public enum Selection: Sendable, Hashable {
    /// The attention that a token received at the last full step, as part of the Euclidean length of all tokens', and
    /// `ageWeight` / `interval` for each cached step since it was last computed. Of each square of 2 × 2 tokens of the
    /// picture the best gets `bonus` times its score on top.
    case attention(ageWeight: Double, interval: Int, bonus: Double)
    case random
  }

  public init(rhythm: ToCaRhythm, share: FreshShare, selection: Selection) {
    self.rhythm = rhythm
    self.share = share
    self.selection = selection
  }

  public var name: String { "toca" }
  public func schedule(steps: Int) -> any StepSchedule { rhythm.schedule(steps: steps) }

  public func makeCache(_ setup: CacheSetup) -> any FeatureCache { ToCaCache(self, setup, skipsBlocks: false) }

  public func byteCount(_ shape: BranchShape) -> Int {
    switch shape.branch.part {
    case .attention: shape.byteCount
    case .mlp: shape.byteCount + scoreBytes(shape)
    // Beside the output the attention by itself.
    case .whole: 2 * shape.byteCount + scoreBytes(shape)
    }
  }

  /// Attention received and age of each token.
  private func scoreBytes(_ shape: BranchShape) -> Int {
    selection == .random ? 0 : shape.tokens * (MemoryLayout<Float>.stride + MemoryLayout<Int32>.stride)
  }

  public func computedTokens(_ shape: BranchShape, at step: PlannedStep) -> Int {
    guard !step.kind.isFull else { return shape.tokens }
    return share.tokens(shape.branch, of: shape.tokens, layout: shape.layout, step: step.index, steps: step.steps)
  }
}
