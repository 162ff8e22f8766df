import FeatureCaching
import StrictJSON
import Tensors
import Testing
import Transformers

/// The operations of DiT-XL/2 at 256 × 256 pixels, for the two rows of guidance, with the numbers that papers print in
/// 10¹². They count some of the modulation's at half and leave the embedders out, so that a run differs by up to 4 ‰.
@Suite struct DiTCostTests {
  private let configuration: DiTConfiguration

  init() throws {
    configuration = try DiTConfiguration(
      PartConfiguration(path: "config.json", json: .object(["out_channels": 8])))
  }

  private func step(_ policy: some FeatureCachePolicy, _ step: PlannedStep) -> Double {
    let branches = configuration.branches.reduce(0.0) { $0 + Double(policy.computedOperations($1, at: step)) }
    return 2 * (branches + Double(configuration.operationsOutsideOfBranches)) / 1e12
  }

  private func run(_ policy: some FeatureCachePolicy, steps: Int = 50) -> Double {
    policy.plannedSteps(steps).reduce(0) { $0 + step(policy, $1) }
  }

  private func expectNear(_ value: Double, _ published: Double) {
    #expect(abs(value - published) <= 4e-3 * published, "\(value) instead of \(published)")
  }

  @Test func aRunWithoutCachingCostsWhatIsPublished() {
    expectNear(run(NoCaching()), 23.74)
    expectNear(run(NoCaching(), steps: 250), 118.68)
  }

  @Test(arguments: [(3, 9.169), (4, 7.348), (5, 5.983), (6, 5.528)])
  func aRunWithClusCaCostsWhatIsPublished(interval: Int, published: Double) {
    let schedule = IntervalSchedule(interval: interval, enhancedSteps: 2)
    expectNear(run(ClusCa(schedule: schedule, maximumOrder: 4, clusters: 16, propagation: 0)), published)
  }

  @Test(arguments: [(3, 8.559), (4, 6.662), (5, 5.239)])
  func aRunWithTaylorSeerCostsWhatIsPublished(interval: Int, published: Double) {
    let schedule = IntervalSchedule(interval: interval, enhancedSteps: 2)
    #expect(abs(run(TaylorSeer(schedule: schedule, maximumOrder: 4)) - published) <= 7e-3 * published)
  }

  @Test func theCacheTakesTheBytesOfAllBranches() {
    let policy = TaylorSeer(schedule: IntervalSchedule(interval: 4, enhancedSteps: 2), maximumOrder: 4)
    #expect(configuration.branches.reduce(0) { $0 + policy.byteCount($1) } == 56 * 5 * 256 * 1152 * 4)
  }
}
