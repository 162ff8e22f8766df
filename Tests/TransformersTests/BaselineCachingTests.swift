import FeatureCaching
import Rendering
import Tensors
import Testing
import Transformers

/// What holds for every caching method with every family, through stages and denoiser.
@Suite(.serialized) struct BaselineCachingTests {
  /// All methods, with numbers by which the small models have full and cached steps.
  private static func policies(_ family: TinyFamily) -> [any FeatureCachePolicy] {
    CacheSettings.Method.allCases.map { method in
      var settings = family.settings(method)
      (settings.warmupSteps, settings.minimumCachedSteps, settings.maximumContinuousSteps) = (2, 1, 4)
      if method == .teacache || method == .fbcache { settings.threshold = threshold(family, method) }
      (settings.interval, settings.freshRatio) = (4, 0.3)
      return settings.policy
    }
      + [CacheSettings.Method.clusca, .taylorseer, .speca].flatMap { method in
        FeaturePrecision.allCases.map { outputs in
          var settings = family.settings(method)
          (settings.outputs, settings.differences) = (outputs, .bfloat16)
          (settings.interval, settings.maximumOrder) = (4, 3)
          (settings.minimumCachedSteps, settings.maximumContinuousSteps) = (1, 4)
          return settings.policy
        }
      }
      + [TokenChoice.random, .attention].map { choice in
        var settings = family.settings(.duca)
        (settings.tokenChoice, settings.freshRatio) = (choice, 0.3)
        return settings.policy
      }
  }

  private typealias TokenChoice = CacheSettings.TokenChoice

  private static func threshold(_ family: TinyFamily, _ method: CacheSettings.Method) -> Double {
    switch (family, method) {
    case (.flux, .teacache): 20
    case (.hunyuan, .teacache): 4
    case (.dit, .teacache): 3
    case (.dit, _): 1.5
    default: 0.4
    }
  }

  @Test(arguments: TinyFamily.allCases)
  func everyCutIntoStagesGivesTheSameBits(_ family: TinyFamily) async throws {
    for policy in Self.policies(family) {
      let whole = try await family.run(policy)
      #expect(whole.latents.allSatisfy { $0.elements.allSatisfy { $0.isFinite } })
      if policy.name != "none" {
        #expect(whole.kinds.contains { !$0.isFull }, "\(policy.name): \(whole.kinds)")
      }
      for cuts in [[1], [2], [3], [1, 2], [1, 3], [1, 2, 3]] {
        let cut = try await family.run(policy, cuts: cuts)
        #expect(cut.kinds == whole.kinds, "\(policy.name) cut at \(cuts)")
        #expect(cut.latents == whole.latents, "\(policy.name) cut at \(cuts)")
        // What forecasts add up to is kept by the last stage alone, and elsewhere until clusters are known.
        guard policy.cutChain == nil else { continue }
        #expect(cut.cacheBytes == whole.cacheBytes, "\(policy.name) cut at \(cuts)")
      }
    }
  }

  @Test(arguments: TinyFamily.allCases)
  func anIntervalOfOneEqualsNoCachingBitForBit(_ family: TinyFamily) async throws {
    let expected = try await family.run(NoCaching()).latents
    for method in [CacheSettings.Method.toca, .duca, .taylorSeerLite, .fora, .taylorseer, .clusca] {
      var settings = family.settings(method)
      settings.interval = 1
      #expect(try await family.run(settings.policy).latents == expected, "\(method)")
    }
  }

  @Test(arguments: TinyFamily.allCases)
  func aThresholdOfZeroComputesEveryStepInFull(_ family: TinyFamily) async throws {
    let expected = try await family.run(NoCaching()).latents
    for method in [CacheSettings.Method.teacache, .fbcache] {
      var settings = family.settings(method)
      (settings.threshold, settings.warmupSteps) = (0, 0)
      let run = try await family.run(settings.policy)
      #expect(run.kinds.allSatisfy { $0.isFull }, "\(method)")
      #expect(run.latents == expected, "\(method)")
    }
  }

  @Test(arguments: TinyFamily.allCases)
  func cachesHoldTheBytesThatTheirPoliciesPlan(_ family: TinyFamily) async throws {
    for policy in Self.policies(family) where policy.name != "clusca" {
      let run = try await family.run(policy, steps: 24)
      #expect(run.cacheBytes.max() == run.plannedCacheBytes, "\(policy.name)")
    }
  }

  @Test(arguments: TinyFamily.allCases)
  func anyNumberOfThreadsGivesTheSameBits(_ family: TinyFamily) async throws {
    let threads = ThreadPool.shared.threads
    defer { ThreadPool.shared.setThreads(threads) }
    for policy in Self.policies(family) {
      var runs: [[Tensor]] = []
      for count in [1, 3] {
        ThreadPool.shared.setThreads(count)
        runs.append(try await family.run(policy, isGuided: false).latents)
      }
      #expect(runs[1] == runs[0], "\(policy.name)")
    }
  }

  @Test(arguments: TinyFamily.allCases)
  func methodsDifferFromOneAnotherAndFromNoCaching(_ family: TinyFamily) async throws {
    var seen: [[Tensor]] = []
    for policy in Self.policies(family).prefix(CacheSettings.Method.allCases.count) {
      let latents = try await family.run(policy, isGuided: false).latents
      #expect(!seen.contains(latents), "\(policy.name)")
      seen.append(latents)
    }
  }

  @Test(arguments: TinyFamily.allCases)
  func whereNothingChangesACachedStepGivesWhatTheFullOneGave(_ family: TinyFamily) async throws {
    let rhythm = ToCaRhythm.interval(IntervalSchedule(interval: 4, enhancedSteps: 1))
    let attention = ToCa.Selection.attention(ageWeight: 0.25, interval: 4, bonus: 0.6)
    for policy in [
      ToCa(rhythm: rhythm, share: .even(0.4), selection: attention),
      ToCa(rhythm: rhythm, share: .even(1), selection: .random),
      DuCa(ToCa(rhythm: rhythm, share: .even(0.4), selection: .random)), TeaCache(threshold: 1),
      FBCache(threshold: 1, warmupSteps: 0),
    ] as [any FeatureCachePolicy] {
      let outputs = try await family.repeatedStep(policy, cachedSteps: 3)
      for cached in outputs.dropFirst() {
        let (scale, difference) = zip(outputs[0].elements, cached.elements).reduce((Float(0), Float(0))) {
          (max($0.0, abs($1.0)), max($0.1, abs($1.0 - $1.1)))
        }
        #expect(difference <= 1e-5 * scale, "\(policy.name): \(difference) of \(scale)")
      }
    }
  }

  @Test(arguments: TinyFamily.allCases)
  func withoutFreshTokensToCaEqualsFORA(_ family: TinyFamily) async throws {
    let policy = ToCa(
      rhythm: .interval(IntervalSchedule(interval: 3, enhancedSteps: 1)), share: .even(1), selection: .random)
    let few = ToCa(rhythm: policy.rhythm, share: .even(0), selection: .random)
    let fora = FORA(schedule: IntervalSchedule(interval: 3, enhancedSteps: 1))
    // The same but for roundings: FORA sums what is forecast before the step.
    let expected = try await family.run(fora).latents
    #expect(Self.largestDifference(try await family.run(few).latents, expected) < 1e-4)
    #expect(Self.largestDifference(try await family.run(policy).latents, expected) > 1e-3)
  }

  private static func largestDifference(_ some: [Tensor], _ others: [Tensor]) -> Float {
    zip(some, others).flatMap { zip($0.elements, $1.elements) }.reduce(0) { max($0, abs($1.0 - $1.1)) }
  }
}
