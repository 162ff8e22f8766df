import Testing

@testable import FeatureCaching

/// Which steps of the adaptive policies are full, with what the authors' code was seen to do.
@Suite struct BaselineScheduleTests {
  private func speca(_ minimum: Int, _ maximum: Int, enhanced: Int = 3) -> SpeCa {
    SpeCa(
      maximumOrder: 2, enhancedSteps: enhanced, minimumCachedSteps: minimum, maximumCachedSteps: maximum,
      threshold: .init(base: 1, decay: 0.5, floor: 0.1))
  }

  /// F for a full step, t for a forecast, c for one that is checked.
  private func pattern(_ policy: SpeCa, steps: Int = 50, error: Float) -> String {
    var schedule = policy.schedule(steps: steps)
    return (0..<steps).map { _ in
      let kind = schedule.next(signal: nil)
      schedule.finish(signal: policy.checks(kind) ? error : nil)
      return kind.isFull ? "F" : policy.checks(kind) ? "c" : "t"
    }.joined()
  }

  @Test func speCaHasTheRhythmOfTheAuthorsCode() {
    #expect(pattern(speca(2, 5), error: 0).hasPrefix("FtFttcccF"))
    for (minimum, maximum, error, full) in [(2, 5, 0, 9), (3, 8, 0, 7), (2, 5, 9, 13), (3, 8, 9, 11)]
      as [(Int, Int, Float, Int)]
    {
      #expect(
        pattern(speca(minimum, maximum), error: error).count { $0 == "F" } == full, "\(minimum), \(maximum), \(error)")
    }
    // Where every forecast is wrong, the step behind the first check is full.
    #expect(pattern(speca(2, 5, enhanced: 1), steps: 9, error: 9) == "FttcFttcF")
  }

  @Test func speCasThresholdFallsToItsFloor() {
    let threshold = SpeCa.Threshold(base: 7, decay: 0.3, floor: 0.1)
    #expect(threshold.value(step: 0, of: 50) == 7)
    #expect(abs(threshold.value(step: 25, of: 50) - 7 * 0.5477225575) < 1e-8)
    let fromOne = SpeCa.Threshold(base: 0.3, decay: 0.05, floor: 0.01, countsFromOne: true)
    #expect(fromOne.value(step: 49, of: 50) == 0.3 * 0.05)
    #expect(SpeCa.Threshold(base: 0.1, decay: 0.01, floor: 0.01).value(step: 40, of: 50) == 0.01)
  }

  @Test func teaCacheAddsUpChangesUntilTheThreshold() {
    let policy = TeaCache(threshold: 0.25)
    var schedule = policy.schedule(steps: 9)
    var kinds: [StepKind] = []
    for signal in [0, 0.1, 0.1, 0.1, 0.2, 0.2, 0, 0.24, 0] as [Float] {
      #expect(schedule.needsSignal == (kinds.count > 0 && kinds.count < 8))
      kinds.append(schedule.next(signal: signal))
    }
    // 0.1 + 0.1 is below, with the third above; the last step is full in any case.
    #expect(
      kinds == [
        .full, .cached(distance: 1), .cached(distance: 2), .full, .cached(distance: 1), .full, .cached(distance: 1),
        .cached(distance: 2), .full,
      ])
  }

  @Test func teaCachesPolynomialBeginsWithTheHighestPower() {
    #expect(TeaCache(threshold: 1, coefficients: [2, 3, 5]).rescaled(10) == 235)
    #expect(TeaCache(threshold: 1).rescaled(0.7) == 0.7)
  }

  @Test func aStepWithoutASignalIsFull() {
    var schedules: [any StepSchedule] = [
      TeaCache(threshold: 9).schedule(steps: 5), FBCache(threshold: 9, warmupSteps: 0).schedule(steps: 5),
    ]
    for index in schedules.indices {
      for _ in 0..<5 { #expect(schedules[index].next(signal: nil) == .full) }
    }
  }

  @Test func fbCacheKeepsToItsLimits() {
    func kinds(_ policy: FBCache) -> String {
      var schedule = policy.schedule(steps: 12)
      return (0..<12).map { _ in schedule.next(signal: schedule.needsSignal ? 0.1 : nil).isFull ? "F" : "c" }.joined()
    }
    #expect(kinds(FBCache(threshold: 0.2, warmupSteps: 4)) == "FFFFcccccccc")
    #expect(kinds(FBCache(threshold: 0.2, warmupSteps: 0)) == "Fccccccccccc")
    #expect(kinds(FBCache(threshold: 0.1, warmupSteps: 0)) == "FFFFFFFFFFFF")
    #expect(kinds(FBCache(threshold: 0.2, warmupSteps: 1, maximumContinuousSteps: 2)) == "FccFccFccFcc")
    #expect(kinds(FBCache(threshold: 0.2, warmupSteps: 1, maximumCachedSteps: 3)) == "FcccFFFFFFFF")
    #expect(kinds(FBCache(threshold: 0.2, warmupSteps: 1, maximumContinuousSteps: 0)) == "FFFFFFFFFFFF")
  }

  @Test func toCasFullStepsComeCloserAsTheNoiseFalls() {
    let kinds = ToCaRhythm.slowing(interval: 3).kinds(50)
    // By j = 49 - step, as the authors count: a distance of 5 from 49 on, of 4 from 45 on, ...
    let full = kinds.indices.filter { kinds[$0].isFull }.map { 49 - $0 }
    #expect(full.prefix(4) == [49, 45, 44, 40])
    // Every second step in a fifth of the run, 20 > j >= 10.
    #expect(full.filter { (10..<19).contains($0) } == [18, 16, 14, 12, 10])
    #expect(full.last == 0)
    #expect(ToCaRhythm.slowing(interval: 1).kinds(7).allSatisfy { $0.isFull })
    let interval = IntervalSchedule(interval: 4, enhancedSteps: 3)
    #expect(ToCaRhythm.interval(interval).kinds(50) == (0..<50).map(interval.kind))
  }

  @Test func duCaSkipsEverySecondCachedStep() {
    func skips(_ rhythm: ToCaRhythm, _ steps: Int) -> String {
      rhythm.kinds(steps).enumerated().map { index, kind in
        kind.isFull ? "F" : rhythm.skipsBlocks(PlannedStep(index: index, of: steps, kind: kind)) ? "s" : "t"
      }.joined()
    }
    #expect(skips(.interval(IntervalSchedule(interval: 5, enhancedSteps: 1)), 10) == "FtstsFtsts")
    // j = 48 and 46 of 49 are odd places before the multiple 45 of 5.
    #expect(skips(.slowing(interval: 3), 50).hasPrefix("FtstFFtst"))
  }
}
