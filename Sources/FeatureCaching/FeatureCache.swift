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
  /// What decides the kinds of a run's steps.
  func schedule(steps: Int) -> any StepSchedule
  /// A new, empty cache for one sample (one row of a batch) on one stage.
  func makeCache(_ setup: CacheSetup) -> any FeatureCache
  /// The most bytes that a cache keeps for a branch of one sample; memory is planned by it.
  func byteCount(_ shape: BranchShape) -> Int
  /// The tokens of a branch that are computed at a step, of `shape.tokens`; costs are reported by it.
  func computedTokens(_ shape: BranchShape, at step: PlannedStep) -> Int
  /// The number of clusters a stream is cut into; nil where there are none.
  var clusterCount: Int? { get }
  /// How cached steps pass from stage to stage if their forecasts can be summed before; nil if hidden states do.
  var cutChain: CutChain? { get }
  /// What forecasts the model's output itself, one for each sample, so that stages have nothing to do at cached steps; nil
  /// where they compute every step.
  func makeOutputForecast() -> OutputForecast?
  /// The bytes that such a forecast keeps of an output of so many numbers.
  func byteCount(ofOutput elements: Int) -> Int
}

extension FeatureCachePolicy {
  public var clusterCount: Int? { nil }
  public var cutChain: CutChain? { nil }
  public func makeOutputForecast() -> OutputForecast? { nil }
  public func byteCount(ofOutput elements: Int) -> Int { 0 }
}

/// The features of one sample's branches on one stage, from step to step.
///
/// Not thread-safe: a stage computes one step of a sample at a time.
public protocol FeatureCache: AnyObject {
  /// Begins a step, before the first branch is asked for (but for what ``signalBoundary`` has computed before it). Steps come
  /// in the order of their indices; the first is full.
  func begin(_ step: CacheStep)

  /// The outputs of branches that come about together, such as the two streams of a joint attention; `compute` gives
  /// them for all tokens, in the order of `branches`, `[tokens, width]` each. A policy calls it once or not at all.
  ///
  /// - Returns: one feature a branch, in the same order.
  func features(_ branches: [Branch], compute: () -> [Tensor]) -> [Feature]

  /// What is needed of a branch that works on each token for itself: all rows of `x`, some or none. The request is answered
  /// before the next branch is asked for.
  func request(_ branch: Branch, of x: ResidualStream) -> RowRequest

  /// The output of a branch whose first part needs all tokens and whose second works on each token for itself, such as a
  /// block with attention and MLP side by side: `attend` gives what the first part makes of all tokens of `x`, and
  /// `compute` takes any rows of `x` with the same rows of that. A policy calls each at most once.
  ///
  /// - Returns: the feature of all tokens of `x`.
  func feature(
    _ branch: Branch, of x: ResidualStream, attend: () -> Tensor,
    compute: (_ rows: Tensor, _ attended: Tensor) -> Tensor
  ) -> Feature

  /// What is done with the output of a branch at this step, if anything: whoever computes the output may hand it to the product
  /// that gives it. It is asked for at most once, by whoever computes the output.
  func epilogue(of branch: Branch) -> (any ProductEpilogue)?

  /// Shows how much attention tokens get at a step that computes it: `received` gives for each of the branches, in their
  /// order, the mean over the heads of what all queries together give to each token, `[tokens]`. It costs as much as a
  /// part of the attention itself; a policy that has no use for it does not call it.
  func observeAttention(_ branches: [Branch], received: () -> [Tensor])

  /// Shows the hidden states of a stream behind its last token-wise branch. The last block that has one calls it, at every
  /// step; policies that cluster do so here.
  func observe(_ stream: TokenStream, behind block: Int, _ hidden: ResidualStream)

  /// How the features of this step are added to the hidden states of a stream.
  func summing(_ stream: TokenStream) -> StreamSumming

  /// Cached steps from the next one on whose forecasts can be summed now. Empty where there are none, or their sums are here
  /// already. Sums are of the picture alone: text is left out of these steps.
  ///
  /// - Parameter first: the step that goes through the blocks next; it may have begun.
  func stepsToPlan(from first: Int) -> [CacheStep]

  /// What writes down the plan of such a step when that is sent through the blocks, which compute nothing then.
  ///
  /// - Parameter refreshes: how often a branch will have had fresh tokens until the step's forecasts are made, with its own.
  func planner(for step: CacheStep, refreshes: Int) -> PlanningCache

  /// Sums the forecasts of steps whose plans are written.
  ///
  /// - Parameters:
  ///   - planners: one for each of the steps.
  ///   - start: what the blocks of stages before have added up to for each, `[image tokens, width]`; nil if there are none.
  ///   - shape: of the picture's hidden states, `[tokens, width]`.
  ///   - isLast: whether no stage follows that needs what they add up to.
  /// - Returns: what they add up to behind the blocks.
  func sumForecasts(
    of steps: [CacheStep], _ planners: [PlanningCache], from start: [Tensor]?, shape: [Int], isLast: Bool
  ) -> [Tensor]

  /// Takes what the stage before hands over at a step whose forecasts were summed before.
  ///
  /// - Returns: what fresh tokens have changed so far, at this step and those before, over all branches of the stages before.
  /// - Throws: ``HandedChangeError`` if it does not fit the step.
  func take(_ handed: HandedChange) throws -> FreshChange

  /// What to hand over to the next stage at such a step; nil if no token is fresh at any.
  ///
  /// - Parameter sums: behind the blocks.
  func handOver(_ sums: StreamSums) -> HandedChange?

  /// Whether nothing of the text can reach the picture at this step, or any later one by what is kept: no branch mixes
  /// tokens. Blocks then leave the text's hidden states what they are.
  var leavesTextOut: Bool { get }

  /// What ``observe(_:behind:_:)`` made of the hidden states of this step; empty at steps and stages without.
  var newClusters: [TokenStream: TokenClusters] { get }

  /// The boundaries at which the hidden states pass through ``cross(_:_:)``: in front of the block of this number, or
  /// behind the last block. Ascending.
  var boundaries: [Int] { get }

  /// Takes the hidden states at one of ``boundaries``, `[tokens, width]` a stream, and may change them.
  func cross(_ boundary: Int, _ streams: inout [TokenStream: Tensor])

  /// Whether a block between two boundaries is left out at this step: the hidden states go past it. Of the blocks
  /// between two boundaries either all are or none is.
  func skips(_ block: Int) -> Bool

  /// The boundary at which ``measure(_:modulated:)`` is called, by the stage that holds the first block; nil where nothing
  /// is measured. 0 or 1. Boundaries in front of it are crossed, and a block in front of it is computed, before the kind of
  /// the step is known.
  var signalBoundary: Int? { get }

  /// Measures how far a step is from those before it, so that its kind can be decided: it comes before ``begin(_:)`` of
  /// the step, at every step.
  ///
  /// - Parameters:
  ///   - streams: the hidden states at ``signalBoundary``, `[tokens, width]` each.
  ///   - modulated: gives what the first block's attention takes of the picture: its tokens, normed and modulated by the
  ///     time.
  /// - Returns: the signal; nil if there is nothing to compare with yet.
  func measure(_ streams: [TokenStream: Tensor], modulated: () -> Tensor) -> Float?

  /// The block that this step computes a second time, in full, to check a forecast by; nil for none.
  var verifiedBlock: Int? { get }

  /// A cache for the second time: it computes everything, and may look at the outputs.
  func makeVerifier() -> any FeatureCache

  /// Compares the hidden states behind ``verifiedBlock`` with those that it gave when it was computed in full.
  func verify(forecast: [TokenStream: Tensor], exact: [TokenStream: Tensor])

  /// What the step found out about itself, for ``StepSchedule/finish(signal:)``; nil if nothing.
  var signal: Float? { get }

  /// The bytes of all that is kept.
  var byteCount: Int { get }

  /// What has to be known of all that is kept if the next step is full; asked for between two steps.
  var snapshot: CacheSnapshot { get }

  /// Goes on from a snapshot of the same blocks, before the first step of this cache, which is the one behind the snapshot.
  func restore(_ snapshot: CacheSnapshot)

  /// Shows what is kept, to compare it with that of another implementation: `BLOCK.STREAM.PART.ORDER` for the outputs of
  /// branches and their differences, `clusters.STREAM.…` for what clusterings found.
  func show(_ probe: Probe)
}

extension FeatureCache {
  /// Whether the forecasts of this step were summed before it.
  public var isSummedAhead: Bool { if case .apart(.some) = summing(.image) { true } else { false } }

  /// The output of one branch, for all tokens at once.
  public func feature(_ branch: Branch, compute: () -> Tensor) -> Feature {
    features([branch]) { [compute()] }[0]
  }

  /// The output of a branch that works on each token for itself: `compute` takes any rows of `x` and gives the output of
  /// these, as many rows of the same width. It is called for all rows, for some or not at all.
  ///
  /// - Returns: the feature of all tokens of `x`.
  public func feature(_ branch: Branch, of x: ResidualStream, compute: (Tensor) -> Tensor) -> Feature {
    let request = request(branch, of: x)
    return request.feature(request.rows.map(compute))
  }
}

// What most caches have no use for.
extension FeatureCache {
  public func feature(
    _ branch: Branch, of x: ResidualStream, attend: () -> Tensor,
    compute: (_ rows: Tensor, _ attended: Tensor) -> Tensor
  ) -> Feature {
    feature(branch) { compute(x.all, attend()) }
  }
  public func epilogue(of branch: Branch) -> (any ProductEpilogue)? { nil }
  public func observeAttention(_ branches: [Branch], received: () -> [Tensor]) {}
  public func observe(_ stream: TokenStream, behind block: Int, _ hidden: ResidualStream) {}
  public func summing(_ stream: TokenStream) -> StreamSumming { .directly }
  public func stepsToPlan(from first: Int) -> [CacheStep] { [] }
  public func take(_ handed: HandedChange) throws -> FreshChange {
    throw HandedChangeError(description: "no tokens are fresh under this policy")
  }
  public func handOver(_ sums: StreamSums) -> HandedChange? { nil }
  public func planner(for step: CacheStep, refreshes: Int) -> PlanningCache {
    preconditionFailure("no step is planned")
  }
  public func sumForecasts(
    of steps: [CacheStep], _ planners: [PlanningCache], from start: [Tensor]?, shape: [Int], isLast: Bool
  ) -> [Tensor] { [] }
  public var leavesTextOut: Bool { false }
  public var newClusters: [TokenStream: TokenClusters] { [:] }
  public var boundaries: [Int] { [] }
  public func cross(_ boundary: Int, _ streams: inout [TokenStream: Tensor]) {}
  public func skips(_ block: Int) -> Bool { false }
  public var signalBoundary: Int? { nil }
  public func measure(_ streams: [TokenStream: Tensor], modulated: () -> Tensor) -> Float? { nil }
  public var verifiedBlock: Int? { nil }
  public func makeVerifier() -> any FeatureCache { ComputingCache() }
  public func verify(forecast: [TokenStream: Tensor], exact: [TokenStream: Tensor]) {}
  public var signal: Float? { nil }
  public var snapshot: CacheSnapshot { CacheSnapshot() }
  public func restore(_ snapshot: CacheSnapshot) {}
  public func show(_ probe: Probe) {}
}
