import Tensors

/// Leaves out all blocks as long as the input of the first one has changed little (arXiv 2411.19108): the changes from step
/// to step add up, rescaled by a polynomial that was fitted to the model, until they reach a threshold.
public struct TeaCache: FeatureCachePolicy {
  /// The sum of rescaled changes from which on a step is full; 0 or more. With 0 every step is, unless the polynomial
  /// makes a change negative.
  public var threshold: Double
  /// Of the polynomial, the highest power first; [1, 0] leaves the changes as they are.
  public var coefficients: [Double]

  public init(threshold: Double, coefficients: [Double] = [1, 0]) {
    precondition(threshold >= 0, "a threshold is not negative")
    self.threshold = threshold
    self.coefficients = coefficients
  }

  public var name: String { "teacache" }
  public func schedule(steps: Int) -> any StepSchedule { Schedule(policy: self, steps: steps) }
  public func makeCache(_ setup: CacheSetup) -> any FeatureCache { Cache(entry: 0, exit: setup.layout.blocks) }

  public func byteCount(_ shape: BranchShape) -> Int {
    SkippingCache.byteCount(shape, entry: 0) + SkippingCache.signalByteCount(shape)
  }

  public func computedTokens(_ shape: BranchShape, at step: PlannedStep) -> Int { step.kind.isFull ? shape.tokens : 0 }

  /// The polynomial of a relative change.
  func rescaled(_ change: Double) -> Double { coefficients.reduce(0) { $0 * change + $1 } }

  private struct Schedule: StepSchedule {
    let policy: TeaCache
    let steps: Int
    private var step = 0
    private var lastFull = 0
    private var accumulated = 0.0

    init(policy: TeaCache, steps: Int) {
      self.policy = policy
      self.steps = steps
    }

    /// The first and the last step are full in any case.
    var needsSignal: Bool { step > 0 && step < steps - 1 }

    mutating func next(signal: Float?) -> StepKind {
      defer { step += 1 }
      if needsSignal, let signal {
        accumulated += policy.rescaled(Double(signal))
        if accumulated < policy.threshold { return .cached(distance: step - lastFull) }
      }
      accumulated = 0
      lastFull = step
      return .full
    }
  }

  private final class Cache: SkippingCache {
    /// Of the step before, whatever its kind.
    private var previous: Tensor?

    override var signalBoundary: Int? { 0 }

    override func measure(_ streams: [TokenStream: Tensor], modulated: () -> Tensor) -> Float? {
      let input = modulated()
      defer { previous = input }
      return previous.map { RelativeChange.ofMeans(from: $0, to: input) }
    }

    private static let signalName = "signal"

    /// A step that was measured before the snapshot is measured again by whoever goes on, with the same outcome.
    override var snapshot: CacheSnapshot {
      CacheSnapshot(previous.map { [.init(block: 0, name: Self.signalName, tensor: FeatureTensor($0))] } ?? [])
    }

    override func restore(_ snapshot: CacheSnapshot) {
      previous = snapshot.entries.first { $0.name == Self.signalName }?.tensor.widened
    }

    override var byteCount: Int { super.byteCount + (previous?.byteCount ?? 0) }
  }
}
