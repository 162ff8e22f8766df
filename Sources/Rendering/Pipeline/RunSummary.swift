import FeatureCaching

/// What a run computed, beside what it would have computed without caching.
public struct RunSummary: Sendable, Hashable {
  public var fullSteps = 0
  public var cachedSteps = 0
  /// Tokens that went through a branch, of all tokens of all branches, in 0...1.
  public var computedTokens = 0.0
  /// Floating-point operations of the transformer, over all steps and samples.
  public var operations = 0
  /// The same with every step in full.
  public var uncachedOperations = 0
  /// The bytes of features that are kept from step to step.
  public var cacheBytes = 0

  /// - Parameters:
  ///   - rows: the samples of a step: 2 under classifier-free guidance.
  ///   - cost: of one sample.
  public init(_ policy: any FeatureCachePolicy, steps: Int, rows: Int, cost: StepCost) {
    let full = cost.branches.reduce(cost.outsideOfBranches) { Self.sum($0, $1.operations) }
    // Forecasting costs a multiplication and an addition an element and order; it is left out, as in the papers.
    let cached = cost.branches.reduce(cost.outsideOfBranches) { sum, shape in
      Self.sum(sum, shape.tokens == 0 ? 0 : shape.operations / shape.tokens * policy.computedTokens(shape))
    }
    let tokens = cost.branches.reduce(0) { $0 + $1.tokens }
    let cachedTokens = cost.branches.reduce(0) { $0 + policy.computedTokens($1) }
    fullSteps = (0..<steps).count { policy.kind(ofStep: $0).isFull }
    cachedSteps = steps - fullSteps
    let before = Self.product(rows, cost.beforeSteps)
    operations = Self.sum(
      before, Self.sum(Self.product(rows * fullSteps, full), Self.product(rows * cachedSteps, cached)))
    uncachedOperations = Self.sum(before, Self.product(rows * steps, full))
    computedTokens =
      tokens == 0 ? 0 : Double(fullSteps * tokens + cachedSteps * cachedTokens) / Double(steps * tokens)
    cacheBytes = rows * cost.branches.reduce(0) { $0 + policy.byteCount($1) }
  }

  // Ten thousand steps of a poster are more operations than 63 bits can count: the largest number stands for them then.

  private static func sum(_ left: Int, _ right: Int) -> Int {
    let (sum, overflow) = left.addingReportingOverflow(right)
    return overflow ? .max : sum
  }

  private static func product(_ left: Int, _ right: Int) -> Int {
    let (product, overflow) = left.multipliedReportingOverflow(by: right)
    return overflow ? .max : product
  }

  /// How many times fewer operations than without caching.
  public var operationsRatio: Double { Double(uncachedOperations) / Double(max(1, operations)) }
}
