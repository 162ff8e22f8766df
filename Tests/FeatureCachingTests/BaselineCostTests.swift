import FeatureCaching
import Tensors
import Testing

/// What the policies say that a step computes and a cache keeps, on the branches of the synthetic model.
@Suite struct BaselineCostTests {
  private static let every = SyntheticModel.imageTokens + SyntheticModel.textTokens

  /// Tokens over all branches of some blocks.
  private func tokens(_ policy: any FeatureCachePolicy, _ step: PlannedStep, blocks: Range<Int>) -> Int {
    SyntheticModel.branches.filter { blocks.contains($0.branch.block) }
      .reduce(0) { $0 + policy.computedTokens($1, at: step) }
  }

  private func operations(_ policy: any FeatureCachePolicy, _ step: PlannedStep) -> Int {
    SyntheticModel.branches.reduce(0) { $0 + policy.computedOperations($1, at: step) }
  }

  private func cached(_ distance: Int, index: Int = 7) -> PlannedStep {
    PlannedStep(index: index, of: 10, kind: .cached(distance: distance))
  }

  private let speca = SpeCa(
    maximumOrder: 1, enhancedSteps: 1, minimumCachedSteps: 2, maximumCachedSteps: 9,
    threshold: .init(base: 1, decay: 1, floor: 0))

  @Test func aFullStepComputesEverything() {
    let schedule = IntervalSchedule(interval: 3, enhancedSteps: 1)
    let toCa = ToCa(rhythm: .interval(schedule), share: .even(0.1), selection: .random)
    for policy in [
      toCa, DuCa(toCa), speca, TeaCache(threshold: 1), FBCache(threshold: 1, warmupSteps: 0),
      TaylorSeerLite(schedule: schedule, maximumOrder: 1),
    ] as [any FeatureCachePolicy] {
      let step = PlannedStep(index: 3, of: 10, kind: .full)
      #expect(tokens(policy, step, blocks: 0..<5) == 3 * 2 * Self.every + 2 * Self.every, "\(policy.name)")
    }
  }

  @Test func theFirstBlockAloneIsComputedByTheFirstBlockCache() {
    let policy = FBCache(threshold: 1, warmupSteps: 0)
    #expect(tokens(policy, cached(3), blocks: 0..<1) == 2 * Self.every)
    #expect(tokens(policy, cached(3), blocks: 1..<5) == 0)
  }

  @Test func speCaComputesTheLastBlockWhereItChecks() {
    #expect(operations(speca, cached(1)) == 0 && operations(speca, cached(2)) == 0)
    #expect(tokens(speca, cached(3), blocks: 4..<5) == Self.every && tokens(speca, cached(3), blocks: 0..<4) == 0)
  }

  @Test func teaCacheAndTheForecastOfTheOutputComputeNoBlock() {
    #expect(operations(TeaCache(threshold: 1), cached(2)) == 0)
    let lite = TaylorSeerLite(schedule: IntervalSchedule(interval: 3, enhancedSteps: 1), maximumOrder: 2)
    #expect(operations(lite, cached(2)) == 0)
  }

  @Test func toCaComputesItsShareOfTheMLPsAndDuCaAtEverySecondStep() {
    let toCa = ToCa(
      rhythm: .interval(IntervalSchedule(interval: 5, enhancedSteps: 1)), share: .even(0.25), selection: .random)
    let expected = 3 * (SyntheticModel.imageTokens / 4 + SyntheticModel.textTokens / 4) + 2 * (Self.every / 4)
    for distance in 1...4 {
      #expect(tokens(toCa, cached(distance), blocks: 0..<5) == expected)
      #expect(tokens(DuCa(toCa), cached(distance), blocks: 0..<5) == (distance % 2 == 1 ? expected : 0))
    }
  }

  @Test func theForecastOfTheOutputIsTheTaylorSumAndHoldsTheBytesThatArePlanned() {
    let schedule = IntervalSchedule(interval: 4, enhancedSteps: 3)
    let policy = TaylorSeerLite(schedule: schedule, maximumOrder: 2)
    guard var forecast = policy.makeOutputForecast() else {
      Issue.record("the policy forecasts the output")
      return
    }
    for (step, value) in [(0, 1), (1, 2), (2, 4), (6, 10)] as [(Int, Float)] {
      forecast.keep(Tensor([value, 0], shape: [1, 2]), step: step)
    }
    // 10, 1.5 and -0.125, as those of a branch.
    #expect(forecast.forecast(distance: 2).elements == [10 + 1.5 * 2 - 0.125 * 2, 0])
    #expect(forecast.byteCount == policy.byteCount(ofOutput: 2) && forecast.byteCount == 3 * 2 * 4)
  }
}
