import Glibc
import Tensors

/// Forecasts as ``TaylorSeer`` does and checks the forecast at the last block (SpeCa, arXiv 2509.11628): if it is too far from
/// what the block computes, the next step is full. A step that was found wrong is not done again.
public struct SpeCa: FeatureCachePolicy {
  /// O: the highest order of the differences.
  public var maximumOrder: Int
  /// E: of the first steps, each that does not follow a full one is full.
  public var enhancedSteps: Int
  /// Cached steps after a full one before the first check.
  public var minimumCachedSteps: Int
  /// The most cached steps after a full one.
  public var maximumCachedSteps: Int
  public var threshold: Threshold
  /// In what outputs and differences are kept.
  public var precision: SeriesPrecision

  /// The largest mean relative error that is accepted: max(floor, base · decay^progress).
  public struct Threshold: Sendable, Hashable {
    public var base: Double
    public var decay: Double
    public var floor: Double
    /// Whether the progress of step s of T is (s + 1) / T rather than s / T.
    public var countsFromOne: Bool

    public init(base: Double, decay: Double, floor: Double, countsFromOne: Bool = false) {
      self.base = base
      self.decay = decay
      self.floor = floor
      self.countsFromOne = countsFromOne
    }

    public func value(step: Int, of steps: Int) -> Double {
      max(floor, base * pow(decay, Double(step + (countsFromOne ? 1 : 0)) / Double(steps)))
    }
  }

  public init(
    maximumOrder: Int, enhancedSteps: Int, minimumCachedSteps: Int, maximumCachedSteps: Int, threshold: Threshold,
    precision: SeriesPrecision = SeriesPrecision()
  ) {
    precondition(maximumOrder >= 0 && enhancedSteps >= 1, "an order is not negative, and the first step is full")
    precondition(minimumCachedSteps >= 0 && maximumCachedSteps >= 1, "a full step is followed by a cached one")
    self.maximumOrder = maximumOrder
    self.enhancedSteps = enhancedSteps
    self.minimumCachedSteps = minimumCachedSteps
    self.maximumCachedSteps = maximumCachedSteps
    self.threshold = threshold
    self.precision = precision
  }

  public var name: String { "speca" }
  public func schedule(steps: Int) -> any StepSchedule { Schedule(policy: self, steps: steps) }
  public func makeCache(_ setup: CacheSetup) -> any FeatureCache { SpeCaCache(self, setup) }
  public func byteCount(_ shape: BranchShape) -> Int {
    TaylorSeries.byteCount(shape, maximumOrder: maximumOrder, precision: precision)
  }

  public func computedTokens(_ shape: BranchShape, at step: PlannedStep) -> Int {
    step.kind.isFull || (checks(step.kind) && shape.branch.block == shape.layout.blocks - 1) ? shape.tokens : 0
  }

  /// Whether a cached step is checked: never the first after a full one.
  func checks(_ kind: StepKind) -> Bool {
    guard case .cached(let distance) = kind else { return false }
    return distance >= 2 && distance - 1 >= minimumCachedSteps
  }

  private struct Schedule: StepSchedule {
    let policy: SpeCa
    let steps: Int
    private var step = 0
    private var lastFull = 0
    private var error: Float?

    init(policy: SpeCa, steps: Int) {
      self.policy = policy
      self.steps = steps
    }

    var needsSignal: Bool { false }

    mutating func next(signal: Float?) -> StepKind {
      defer { step += 1 }
      guard isFull else { return .cached(distance: step - lastFull) }
      lastFull = step
      error = nil
      return .full
    }

    /// A full step is followed by a cached one, even among the first.
    private var isFull: Bool {
      let cached = step - lastFull - 1
      if step == 0 { return true }
      if cached == 0 { return false }
      if step < policy.enhancedSteps || cached >= policy.maximumCachedSteps { return true }
      guard let error else { return false }
      return Double(error) > policy.threshold.value(step: step, of: steps)
    }

    mutating func finish(signal: Float?) { error = signal }
  }
}

private final class SpeCaCache: TaylorCache {
  private let policy: SpeCa
  private let layout: BlockLayout
  private var error: Float?

  init(_ policy: SpeCa, _ setup: CacheSetup) {
    self.policy = policy
    layout = setup.layout
    super.init(
      setup, enhancedSteps: policy.enhancedSteps, maximumOrder: policy.maximumOrder, precision: policy.precision)
  }

  override func begin(_ step: CacheStep) {
    super.begin(step)
    error = nil
  }

  override var verifiedBlock: Int? { policy.checks(step.kind) ? layout.blocks - 1 : nil }
  override var signal: Float? { error }

  /// Looks at the output of a block that has one for attention and MLP together; its forecast is compared before the gate.
  private final class Verifier: ComputingCache {
    let check: (Branch, Tensor) -> Void
    init(check: @escaping (Branch, Tensor) -> Void) { self.check = check }

    override func features(_ branches: [Branch], compute: () -> [Tensor]) -> [Feature] {
      let outputs = compute()
      for (branch, output) in zip(branches, outputs) where branch.part == .whole { check(branch, output) }
      return outputs.map { Feature($0) }
    }
  }

  override func makeVerifier() -> any FeatureCache {
    Verifier { [unowned self] branch, exact in
      guard case .cached(let distance) = step.kind else { return }
      error = RelativeChange.meanOfRatios([(forecast(branch, distance: distance).sum, exact)])
    }
  }

  /// Of a block with branches of their own, the hidden states behind it are compared.
  override func verify(forecast: [TokenStream: Tensor], exact: [TokenStream: Tensor]) {
    guard layout.splitBlocks == layout.blocks else { return }
    error = RelativeChange.meanOfRatios(
      TokenStream.allCases.compactMap { stream in
        guard let forecast = forecast[stream], let exact = exact[stream] else { return nil }
        return (forecast, exact)
      })
  }
}
