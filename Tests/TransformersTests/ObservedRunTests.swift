import FeatureCaching
import Rendering
import Tensors
import Testing
import Transformers

/// Runs that somebody looks inside of, where each step computes all there is for itself, beside those that leave out what
/// cannot reach the picture and prepare many steps at once.
@Suite(.serialized) struct ObservedRunTests {
  @Test(arguments: TinyFamily.allCases, CacheSettings.Method.allCases)
  func lookingInsideChangesNoBit(family: TinyFamily, method: CacheSettings.Method) async throws {
    var settings = family.settings(method)
    settings.propagation = 0.2
    let run = try await family.run(settings.policy, isGuided: false)
    let observed = try await family.run(settings.policy, isGuided: false) { _, _ in Probe { _, _ in } }
    #expect(run.latents == observed.latents && run.kinds == observed.kinds)
  }
}
