import Testing
import Verification

/// Recorded runs of diffusers and of the ClusCa authors' code on HunyuanVideo.
struct HunyuanVideoCaseTests {
  static let verification = Result { try Verification(root: UnitCaseTests.root) }

  static var names: [String] {
    (try? verification.get().manifest.cases)?.filter { golden in
      golden.checkpoint?.contains("/hunyuan-") ?? false
    }.map(\.name) ?? []
  }

  @Test func theFixturesHoldRunsOfAllKinds() throws {
    let kinds = Set(try Self.verification.get().manifest.cases.filter { Self.names.contains($0.name) }.map(\.kind))
    #expect(kinds.count == 5 && Self.names.count >= 9)
  }

  @Test(arguments: names) func everyRecordedTensorIsMet(name: String) async throws {
    let outcome = try await Self.verification.get().run(name)
    #expect(outcome.failures == [])
    #expect(outcome.tensors > 0)
  }
}
