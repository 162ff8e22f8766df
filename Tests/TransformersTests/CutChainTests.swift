import FeatureCaching
import Rendering
import Tensors
import Testing
import Transformers

/// What passes from stage to stage at cached steps whose forecasts were summed before.
@Suite struct CutChainTests {
  private static let interval = 4
  private static let clusters = 5
  private let sample = SampleID(job: 1)

  private static func clusca(propagation: Float = 0.3) -> ClusCa {
    ClusCa(
      schedule: IntervalSchedule(interval: interval, enhancedSteps: 1), maximumOrder: 1, clusters: clusters,
      propagation: propagation)
  }

  /// Two stages of FLUX, cut in front of a block, behind a full step; the labels that it found.
  private func stages(
    _ policy: any FeatureCachePolicy, cut: Int
  ) async throws -> (first: Stage, second: Stage, latents: Tensor, clusters: [TokenStream: TokenClusters]) {
    let flux = try TinyFlux()
    let task = flux.task(policy)
    let stages = try [0..<cut, cut..<flux.configuration.blockCount].map { try Stage(flux.transformer($0)) }
    for stage in stages {
      try await stage.open(
        SampleSetup(
          id: sample, inputs: task.inputs, timesteps: (0..<8).map(task.schedule.timestep), policy: policy,
          choices: task.choices(0)))
    }
    let full = StepContext(sample: sample, index: 0, kind: .full, timestep: task.schedule.timestep(0))
    let before = try await stages[0].run(full, .latents(task.latents))
    guard case .state(let state) = before.output else { throw SampleError(description: "a state was to come") }
    let behind = try await stages[1].run(full, .state(state))
    let sums = try await stages[0].sumForecasts(of: sample, from: nil)
    #expect(sums.count == Self.interval - 1)
    _ = try await stages[1].sumForecasts(of: sample, from: sums)
    return (stages[0], stages[1], task.latents, before.clusters.merging(behind.clusters) { first, _ in first })
  }

  private func cached(_ distance: Int, _ clusters: [TokenStream: TokenClusters]) -> StepContext {
    StepContext(
      sample: sample, index: distance, kind: .cached(distance: distance), timestep: Float(900 - 100 * distance),
      clusters: clusters)
  }

  @Test(arguments: [1, 2, 3])
  func onlyFreshRowsAndATablePassAtEveryStep(cut: Int) async throws {
    let (first, second, latents, clusters) = try await stages(Self.clusca(), cut: cut)
    let branches = min(cut, 2)  // those of double blocks
    for distance in 1..<Self.interval {
      let context = cached(distance, clusters)
      guard case .change(let handed?) = try await first.run(context, .latents(latents)).output else {
        Issue.record("a change was to pass")
        return
      }
      let width = handed.gates.columns
      #expect(handed.table?.shape == [Self.clusters, width])
      #expect(handed.gates.shape == [branches, width])
      // As many at the last step as at the first: those of steps before are kept by the stages.
      #expect(handed.rows.rows <= branches * Self.clusters && handed.rows.rows > 0)
      guard case .output(let output) = try await second.run(context, .change(handed, latents: latents)).output else {
        Issue.record("an output was to come")
        return
      }
      #expect(output.isFinite)
    }
  }

  @Test func withoutPropagationNoTablePasses() async throws {
    let (first, _, latents, clusters) = try await stages(Self.clusca(propagation: 0), cut: 2)
    guard case .change(let handed?) = try await first.run(cached(1, clusters), .latents(latents)).output else {
      Issue.record("a change was to pass")
      return
    }
    #expect(handed.table == nil && handed.rows.rows > 0)
  }

  @Test func whereNoTokensAreFreshNothingPasses() async throws {
    let policy = TaylorSeer(schedule: IntervalSchedule(interval: Self.interval, enhancedSteps: 1), maximumOrder: 1)
    let (first, second, latents, clusters) = try await stages(policy, cut: 2)
    guard case .change(nil) = try await first.run(cached(1, clusters), .latents(latents)).output else {
      Issue.record("nothing was to pass")
      return
    }
    guard case .output = try await second.run(cached(1, clusters), .change(nil, latents: latents)).output else {
      Issue.record("an output was to come")
      return
    }
  }

  @Test(arguments: 0..<3) func aChangeOfOtherTokensIsRefused(_ wrong: Int) async throws {
    let (first, second, latents, clusters) = try await stages(Self.clusca(), cut: 2)
    guard case .change(var handed?) = try await first.run(cached(1, clusters), .latents(latents)).output else {
      Issue.record("a change was to pass")
      return
    }
    switch wrong {
    case 0: handed.rows = handed.rows.rows(1..<handed.rows.rows)
    case 1: handed.table = nil
    default: handed.table = handed.table?.rows(0..<2)
    }
    let other = handed
    await #expect(throws: HandedChangeError.self) {
      try await second.run(cached(1, clusters), .change(other, latents: latents))
    }
  }

  @Test func forecastsAreSummedForAFewStepsAtATime() {
    let chain = CutChain(schedule: IntervalSchedule(interval: 20, enhancedSteps: 2))
    // Full are the steps 1 and 21.
    #expect(chain.mostCutSteps == 8)
    #expect(chain.cutSteps(behind: 0, of: 50).isEmpty)
    #expect(chain.cutSteps(behind: 1, of: 50) == 2..<10)
    #expect((2..<9).allSatisfy { chain.cutSteps(behind: $0, of: 50).isEmpty })
    #expect(chain.cutSteps(behind: 9, of: 50) == 10..<18)
    #expect(chain.cutSteps(behind: 17, of: 50) == 18..<21)
    #expect(chain.cutSteps(behind: 17, of: 19) == 18..<19)
    #expect(chain.cutSteps(behind: 49, of: 50).isEmpty)
  }

  /// Twenty-two cached steps behind one full step: more than are summed at once.
  @Test(arguments: TinyFamily.allCases)
  func longIntervalsGiveTheSameBitsInEveryCutAndNeedNoMore(_ family: TinyFamily) async throws {
    let schedule = IntervalSchedule(interval: 40, enhancedSteps: 2)
    let policy = ClusCa(schedule: schedule, maximumOrder: 1, clusters: 5, propagation: 0.3)
    let whole = try await family.run(policy, steps: 24)
    #expect(whole.kinds.count { $0.isFull } == 2)
    // Of both samples, the centroids of up to two streams are not planned.
    let centroids = 2 * 2 * 5 * 256 * 4
    #expect(try #require(whole.cacheBytes.max()) <= whole.plannedCacheBytes + centroids)
    for cuts in [[2], [1, 3]] {
      #expect(try await family.run(policy, steps: 24, cuts: cuts).latents == whole.latents, "cut at \(cuts)")
    }
    // Looked into, steps sum their forecasts on the way.
    let observed = try await family.run(policy, steps: 24) { _, _ in Probe { _, _ in } }
    #expect(observed.latents == whole.latents)
  }
}
