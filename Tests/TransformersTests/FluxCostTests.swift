import FeatureCaching
import StrictJSON
import Tensors
import Testing
import Transformers

/// The operations of FLUX at 1024 × 1024 pixels and 512 text tokens, with the numbers that papers print in 10¹².
@Suite struct FluxCostTests {
  private let configuration: FluxConfiguration
  private let branches: [BranchShape]
  private let outside: Double

  init() throws {
    configuration = try FluxConfiguration(
      PartConfiguration(path: "config.json", json: .object(["guidance_embeds": true])))
    branches = configuration.branches(imageTokens: 4096, textTokens: 512)
    outside = Double(configuration.operationsOutsideOfBranches(imageTokens: 4096)) / 1e12
  }

  private func step(_ policy: some FeatureCachePolicy, _ step: PlannedStep) -> Double {
    outside + branches.reduce(0) { $0 + Double(policy.computedOperations($1, at: step)) / 1e12 }
  }

  private func run(_ policy: some FeatureCachePolicy) -> Double {
    policy.plannedSteps(50).reduce(0) { $0 + step(policy, $1) }
  }

  private func expectNear(_ value: Double, _ published: Double) {
    #expect(abs(value - published) <= 2e-3 * published, "\(value) instead of \(published)")
  }

  @Test func aFullStepCostsWhatIsPublished() {
    expectNear(step(NoCaching(), PlannedStep(index: 0, of: 50, kind: .full)), 74.39)
    expectNear(run(NoCaching()), 3719.5)
  }

  @Test func theMLPOfATokenIsSixteenSquaresOfTheWidth() throws {
    let mlp = try #require(branches.first { $0.branch == Branch(0, .image, .mlp) })
    #expect(mlp.operations / mlp.tokens == 16 * 3072 * 3072)
  }

  @Test(arguments: [(4, 1045.58), (5, 897.03), (6, 748.48), (7, 674.20)])
  func aRunWithClusCaCostsWhatIsPublished(interval: Int, published: Double) {
    let schedule = IntervalSchedule(interval: interval, enhancedSteps: 3)
    expectNear(run(ClusCa(schedule: schedule, maximumOrder: 1, clusters: 16, propagation: 0.005)), published)
  }

  @Test(arguments: [(4, 1042.27), (5, 893.54), (6, 744.80), (7, 670.44)])
  func aRunWithTaylorSeerCostsWhatIsPublished(interval: Int, published: Double) {
    let schedule = IntervalSchedule(interval: interval, enhancedSteps: 3)
    expectNear(run(TaylorSeer(schedule: schedule, maximumOrder: 1)), published)
    expectNear(run(FORA(schedule: schedule)), published)
  }

  @Test func theCacheOfOneOrderTakesTheBytesOfAllBranches() {
    // 76 branches of image or text and 38 of both, in float32.
    let bytes = branches.reduce(0) {
      $0 + FORA(schedule: IntervalSchedule(interval: 5, enhancedSteps: 3)).byteCount($1)
    }
    #expect(bytes == (38 * 4096 + 38 * 512 + 38 * 4608) * 3072 * 4)
  }
}
