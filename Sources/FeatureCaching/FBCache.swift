import Tensors

/// Computes the first block at every step, and the others only when what it adds to the picture has changed: the
/// first-block cache of ParaAttention and cache-dit, there also DBCache with Fn = 1 and Bn = 0.
public struct FBCache: FeatureCachePolicy {
  /// The relative change of the first block's residual from which on a step is full; 0 or more. With 0 every step is.
  public var threshold: Double
  /// The first steps, which are full in any case; step 0 always is.
  public var warmupSteps: Int
  /// The most cached steps of a run; nil for any number.
  public var maximumCachedSteps: Int?
  /// The most of them one after another; nil for any number.
  public var maximumContinuousSteps: Int?

  public init(
    threshold: Double, warmupSteps: Int, maximumCachedSteps: Int? = nil, maximumContinuousSteps: Int? = nil
  ) {
    precondition(threshold >= 0 && warmupSteps >= 0, "threshold and warm-up are not negative")
    self.threshold = threshold
    self.warmupSteps = warmupSteps
    self.maximumCachedSteps = maximumCachedSteps
    self.maximumContinuousSteps = maximumContinuousSteps
  }

  public var name: String { "fbcache" }
  public func schedule(steps: Int) -> any StepSchedule { Schedule(policy: self) }
  public func makeCache(_ setup: CacheSetup) -> any FeatureCache { Cache(entry: 1, exit: setup.layout.blocks) }

  public func byteCount(_ shape: BranchShape) -> Int {
    SkippingCache.byteCount(shape, entry: 1) + SkippingCache.signalByteCount(shape)
  }

  public func computedTokens(_ shape: BranchShape, at step: PlannedStep) -> Int {
    step.kind.isFull || shape.branch.block == 0 ? shape.tokens : 0
  }

  private struct Schedule: StepSchedule {
    let policy: FBCache
    private var step = 0
    private var lastFull = 0
    private var cachedSteps = 0

    init(policy: FBCache) { self.policy = policy }

    var needsSignal: Bool {
      step >= max(1, policy.warmupSteps) && cachedSteps < policy.maximumCachedSteps ?? .max
        && step - lastFull <= policy.maximumContinuousSteps ?? .max
    }

    mutating func next(signal: Float?) -> StepKind {
      defer { step += 1 }
      if needsSignal, let signal, Double(signal) < policy.threshold {
        cachedSteps += 1
        return .cached(distance: step - lastFull)
      }
      lastFull = step
      return .full
    }
  }

  private final class Cache: SkippingCache {
    /// The picture in front of the first block, while that is computed.
    private var input: Tensor?
    /// What the first block added at this step, until its kind is known.
    private var residual: Tensor?
    /// What it added at the last full step.
    private var previous: Tensor?

    override var boundaries: [Int] { [0] + (super.boundaries.isEmpty ? [1] : super.boundaries) }
    override var signalBoundary: Int? { 1 }

    private static func picture(_ streams: [TokenStream: Tensor]) -> Tensor? { streams[.image] ?? streams[.joint] }

    override func measure(_ streams: [TokenStream: Tensor], modulated: () -> Tensor) -> Float? {
      guard var change = Self.picture(streams), let input, change.shape == input.shape else { return nil }
      change.scale(by: 1, adding: input, times: -1)
      self.input = nil
      residual = change
      return previous.map { RelativeChange.ofMeans(from: $0, to: change) }
    }

    override func begin(_ step: CacheStep) {
      super.begin(step)
      if step.kind.isFull, let residual { previous = residual }
      residual = nil
    }

    override func cross(_ boundary: Int, _ streams: inout [TokenStream: Tensor]) {
      if boundary == 0 { input = Self.picture(streams) }
      super.cross(boundary, &streams)
    }

    private static let signalName = "signal"

    /// A step that was measured before the snapshot is measured again by whoever goes on, with the same outcome.
    override var snapshot: CacheSnapshot {
      CacheSnapshot(previous.map { [.init(block: 0, name: Self.signalName, tensor: FeatureTensor($0))] } ?? [])
    }

    override func restore(_ snapshot: CacheSnapshot) {
      previous = snapshot.entries.first { $0.name == Self.signalName }?.tensor.widened
    }

    override var byteCount: Int {
      super.byteCount + [input, residual, previous].reduce(0) { $0 + ($1?.byteCount ?? 0) }
    }
  }
}
