import Tensors

/// What a cache is told at the beginning of a step.
public struct CacheStep: Sendable {
  /// The step's place in the run, from 0.
  public var index: Int
  public var kind: StepKind
  /// The clusters that the last full step found, for policies that use them; one owner computes them for all stages.
  public var clusters: [TokenStream: TokenClusters]

  public init(index: Int, kind: StepKind, clusters: [TokenStream: TokenClusters] = [:]) {
    self.index = index
    self.kind = kind
    self.clusters = clusters
  }
}

/// Which steps are computed in full, and what replaces the others.
///
/// A policy knows no model: it sees branches, streams and tensors. A model knows no policy: it asks its cache for the
/// output of each branch.
public protocol FeatureCachePolicy: Sendable {
  /// As on the command line: "clusca".
  var name: String { get }
  /// The kind of a step, from 0: a function of the step and the policy's settings alone, so that it is the same on
  /// every machine. Step 0 is full.
  func kind(ofStep step: Int) -> StepKind
  /// A new, empty cache for one sample (one row of a batch) on one stage.
  func makeCache(choices: any TokenChoices) -> any FeatureCache
  /// The most bytes that a cache keeps for a branch of one sample; memory is planned by it.
  func byteCount(_ shape: BranchShape) -> Int
  /// The tokens of a branch that are computed at a cached step, of `shape.tokens`; costs are reported by it.
  func computedTokens(_ shape: BranchShape) -> Int
  /// The number of clusters a stream is cut into; nil where there are none.
  var clusterCount: Int? { get }
}

/// The features of one sample's branches on one stage, from step to step.
///
/// Not thread-safe: a stage computes one step of a sample at a time.
public protocol FeatureCache: AnyObject {
  /// Begins a step, before the first branch is asked for. Steps come in the order of their indices; the first is full.
  func begin(_ step: CacheStep)

  /// The outputs of branches that come about together, such as the two streams of a joint attention; `compute` gives
  /// them for all tokens, in the order of `branches`, `[tokens, width]` each. A policy calls it once or not at all.
  ///
  /// - Returns: one feature a branch, in the same order.
  func features(_ branches: [Branch], compute: () -> [Tensor]) -> [Feature]

  /// The output of a branch that works on each token for itself: `compute` takes any rows of `x` (`[tokens, width]`) and
  /// gives the output of these, as many rows of the same width. A policy calls it for all rows, for some or not at all.
  ///
  /// - Returns: the feature of all tokens of `x`.
  func feature(_ branch: Branch, of x: Tensor, compute: (Tensor) -> Tensor) -> Feature

  /// Shows the hidden states of a stream behind its last token-wise branch, `[tokens, width]`. The last block that has
  /// one calls it, at every step; policies that cluster do so here.
  func observe(_ stream: TokenStream, _ hidden: Tensor)

  /// What ``observe(_:_:)`` made of the hidden states of this step; empty at steps and stages without.
  var newClusters: [TokenStream: TokenClusters] { get }

  /// The bytes of all that is kept.
  var byteCount: Int { get }

  /// Shows what is kept, to compare it with that of another implementation: `BLOCK.STREAM.PART.ORDER` for the outputs of
  /// branches and their differences, `clusters.STREAM.…` for what clusterings found.
  func show(_ probe: Probe)
}

extension FeatureCache {
  /// The output of one branch, for all tokens at once.
  public func feature(_ branch: Branch, compute: () -> Tensor) -> Feature {
    features([branch]) { [compute()] }[0]
  }
}
