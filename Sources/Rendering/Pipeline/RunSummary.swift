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
  ///   - kinds: of all steps, as they were; before a run those that the policy plans.
  ///   - rows: the samples of a step: 2 under classifier-free guidance.
  ///   - cost: of one sample.
  public init(_ policy: any FeatureCachePolicy, kinds: [StepKind], rows: Int, cost: StepCost) {
    let tokens = cost.branches.reduce(0) { $0 + $1.tokens }
    var computed = 0
    // Forecasting costs a multiplication and an addition an element and order; it is left out, as in the papers. So is
    // what decides the kinds of steps.
    let before = Self.product(rows, cost.beforeSteps)
    (operations, uncachedOperations) = (before, before)
    let full = cost.branches.reduce(cost.outsideOfBranches) { Self.sum($0, $1.operations) }
    let stagesRest = policy.makeOutputForecast() != nil
    for (index, kind) in kinds.enumerated() {
      let step = PlannedStep(index: index, of: kinds.count, kind: kind)
      let outside = stagesRest && !kind.isFull ? 0 : cost.outsideOfBranches
      let ofStep = cost.branches.reduce(outside) { Self.sum($0, policy.computedOperations($1, at: step)) }
      operations = Self.sum(operations, Self.product(rows, ofStep))
      uncachedOperations = Self.sum(uncachedOperations, Self.product(rows, full))
      computed += cost.branches.reduce(0) { $0 + policy.computedTokens($1, at: step) }
    }
    fullSteps = kinds.count(where: \.isFull)
    cachedSteps = kinds.count - fullSteps
    computedTokens = tokens == 0 || kinds.isEmpty ? 0 : Double(computed) / Double(kinds.count * tokens)
    cacheBytes =
      rows
      * (cost.branches.reduce(0) { $0 + policy.byteCount($1) } + cost.forecastBytes(policy)
        + policy.byteCount(ofOutput: cost.outputElements))
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
