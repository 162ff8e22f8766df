import FeatureCaching
import Rendering
import StrictJSON
import Tensors
import Testing
import Transformers

/// The operations of HunyuanVideo for 65 frames of 640 × 480 pixels and 256 text tokens, with the numbers that papers
/// print in 10¹².
@Suite struct HunyuanVideoCostTests {
  private let configuration: HunyuanVideoConfiguration
  private let branches: [BranchShape]
  private let outside: Double

  init() throws {
    configuration = try HunyuanVideoConfiguration(PartConfiguration(path: "config.json", json: .object([:])))
    branches = configuration.branches(videoTokens: 17 * 30 * 40, textTokens: 256)
    outside =
      Double(configuration.operationsOutsideOfBranches(videoTokens: 17 * 30 * 40, textTokens: 256)) / 1e12
  }

  private func run(_ policy: any FeatureCachePolicy) -> Double {
    policy.plannedSteps(50).reduce(0) { total, step in
      total + outside + branches.reduce(0) { $0 + Double(policy.computedOperations($1, at: step)) / 1e12 }
    }
  }

  private func expectNear(_ value: Double, _ published: Double) {
    #expect(abs(value - published) <= 1e-3 * published, "\(value) instead of \(published)")
  }

  @Test func aRunCostsWhatIsPublished() {
    let schedule = IntervalSchedule(interval: 5, enhancedSteps: 1)
    expectNear(run(NoCaching()), 29773.0)
    expectNear(run(FORA(schedule: schedule)), 5960.4)
    expectNear(run(TaylorSeer(schedule: schedule, maximumOrder: 1)), 5960.4)
  }

  @Test func aRunWithClusCaCostsWhatIsPublished() {
    expectNear(run(CacheSettings.hunyuan.policy), 5968.1)
    var settings = CacheSettings.hunyuan
    settings.interval = 6
    expectNear(run(settings.policy), 5373.0)
  }

  @Test func duCaAddsHalfOfWhatToCaAdds() {
    let fora = run(FORA(schedule: IntervalSchedule(interval: 5, enhancedSteps: 1)))
    let (toCa, duCa) = (
      run(CacheSettings.hunyuan.using(.toca).policy) - fora, run(CacheSettings.hunyuan.using(.duca).policy) - fora
    )
    #expect(toCa > 0 && abs(duCa - toCa / 2) < 1e-6 * toCa)
    // A tenth of all MLPs at 40 steps, and in the single blocks of the output's product with the attention.
    let tokens = Double(17 * 30 * 40 + 256)
    #expect(abs(toCa - 40 * 0.1 * tokens * (20 * 16 + 40 * 18) * 3072 * 3072 / 1e12) < 1e-2 * toCa)
  }

  @Test func theDefaultsAreThoseOfTheReleasedModel() {
    #expect(configuration.width == 3072 && configuration.blockCount == 60 && configuration.mlpWidth == 12288)
    #expect(configuration.tokenChannels == (64, 64) && configuration.ropeAxes == [16, 56, 56])
    #expect(branches.count == 20 * 4 + 40)
  }
}
