import Messaging
import Rendering
import Tensors
import Testing

@testable import RenderCluster

/// Workers that end, come and go while pictures are being rendered.
@Suite(.timeLimit(.minutes(2))) struct RecoveryTests {
  private func clusca(steps: Int = 8) throws -> TinyModel.Task {
    TinyModel.Task(cache: TinyModel.caches(.flux)[3], steps: steps, isGuided: true)
  }

  @Test(arguments: [0, 1, 4, 6])
  func aKilledWorkerDoesNotChangeThePicture(step: Int) async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [2])
    for name in ["w0", "w1", "w2"] { try cluster.start(name) }
    try await cluster.workersAreHere(3)
    let task = try clusca()
    let latents = try await cluster.latents(task) { done in if done == step { await cluster.kill("w1") } }
    #expect(try await latents == model.latents(task))
    #expect(cluster.told.contains { $0.contains("w1 is lost") })
    await cluster.stop()
  }

  @Test func theLastWorkerTakesAllBlocks() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model)
    for name in ["w0", "w1"] { try cluster.start(name) }
    try await cluster.workersAreHere(2)
    let task = try clusca()
    let latents = try await cluster.latents(task) { done in if done == 2 { await cluster.kill("w0") } }
    #expect(try await latents == model.latents(task))
    await cluster.stop()
  }

  @Test func aSilentWorkerIsNoticedAndReplaced() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [2])
    for name in ["w0", "w1", "w2"] { try cluster.start(name) }
    try await cluster.workersAreHere(3)
    let task = try clusca()
    let latents = try await cluster.latents(task) { done in if done == 3 { await cluster.silence("w0") } }
    #expect(try await latents == model.latents(task))
    #expect(cluster.told.contains { $0.contains("w0 is lost: it has been silent") })
    await cluster.stop()
  }

  @Test func aJobWaitsForItsFirstWorkerAndForAnotherWhenThatIsGone() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model)
    let task = try clusca()
    async let latents = cluster.latents(task) { done in
      if done == 4 {
        await cluster.kill("early")
        try? cluster.start("late")
      }
    }
    while !cluster.told.contains(where: { $0.hasPrefix("Jobs wait") }) { try await Task.sleep(for: .milliseconds(5)) }
    try cluster.start("early")
    #expect(try await latents == model.latents(task))
    await cluster.stop()
  }

  @Test func aRestartedWorkerTakesThePlaceOfItsFormerSelf() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [2])
    for name in ["w0", "w1"] { try cluster.start(name) }
    try await cluster.workersAreHere(2)
    let task = try clusca()
    let latents = try await cluster.latents(task) { done in
      if done == 3 {
        await cluster.silence("w1")
        try? cluster.start("w1")
      }
    }
    #expect(try await latents == model.latents(task))
    #expect(cluster.told.contains { $0.contains("w1 is lost: it has been started again") })
    await cluster.stop()
  }

  @Test func aDrainedWorkerEndsWhenNothingDependsOnIt() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model)
    try cluster.start("w0")
    try await cluster.workersAreHere(1)
    let task = try clusca()
    let latents = try await cluster.latents(task) { done in
      if done == 1 {
        cluster.drain("w0")
        try? cluster.start("w1")
      }
    }
    #expect(try await latents == model.latents(task))
    try await cluster.end(of: "w0")
    #expect(try await cluster.latents(task) == model.latents(task))
    #expect(Set(cluster.computed.suffix(10).map(\.worker)) == ["w1"])
    await cluster.stop()
  }
}
