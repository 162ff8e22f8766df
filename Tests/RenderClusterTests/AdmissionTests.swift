import Messaging
import Rendering
import Tensors
import Testing

@testable import RenderCluster

/// Who may work: builds, numerics and keys.
@Suite(.timeLimit(.minutes(2))) struct AdmissionTests {
  private func failure(_ change: (inout WorkerConfiguration) -> Void) async throws -> String {
    let cluster = try await TinyCluster(TinyModel(.flux))
    try cluster.start("w0", change)
    let error = await #expect(throws: Worker.Failure.self) { try await cluster.end(of: "w0") }
    #expect(await cluster.coordinator.status.workers.isEmpty)
    await cluster.stop()
    return error?.description ?? ""
  }

  @Test func aWorkerOfAnotherBuildIsRefusedByName() async throws {
    let text = try await failure { $0.build = "0.0.9" }
    #expect(text.contains("test here") && text.contains("0.0.9 there"))
  }

  @Test func aWorkerOfAnotherClassOfNumericsIsRefusedByName() async throws {
    let text = try await failure { $0.numerics = TinyCluster.digest(9) }
    #expect(text.contains("010101010101 here") && text.contains("090909090909 there"))
  }

  @Test func aWorkerWithoutTheModelGetsNoBlocks() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model)
    try cluster.start("other") { $0.models = [] }
    try cluster.start("w0")
    try await cluster.workersAreHere(2)
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[1])
    #expect(try await cluster.latents(task) == model.latents(task))
    #expect(Set(cluster.computed.map(\.worker)) == ["w0"])
    await cluster.stop()
  }

  @Test func stagesKnowEachOtherByTheirKeys() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [1, 3], keys: TinyKeys("w0", "w1", "w2"))
    for name in ["w0", "w1", "w2"] { try cluster.start(name) }
    try await cluster.workersAreHere(3)
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[3], isGuided: true)
    #expect(try await cluster.latents(task) == model.latents(task))
    await cluster.stop()
  }

  @Test func aKeyThatIsNotOnTheListGetsNoWork() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, keys: TinyKeys("w0"))
    try cluster.start("stranger")
    try cluster.start("w0")
    try await cluster.workersAreHere(1)
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[3])
    #expect(try await cluster.latents(task) == model.latents(task))
    #expect(await cluster.coordinator.status.workers.map(\.name) == ["w0"])
    await cluster.stop()
  }

  @Test func aRevokedWorkerLosesItsPlaceWhileItWorks() async throws {
    let model = try TinyModel(.flux)
    let keys = try TinyKeys("w0", "w1")
    let cluster = try await TinyCluster(model, cuts: [], keys: keys)
    try cluster.start("w0")
    try await cluster.workersAreHere(1)
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[3])
    let latents = try await cluster.latents(task) { done in
      if done == 2 {
        keys.revoke("w0")
        try? cluster.start("w1")
      }
    }
    #expect(try await latents == model.latents(task))
    #expect(cluster.computed.last?.worker == "w1")
    #expect(cluster.told.contains { $0.contains("w0 is lost: its key is off the list") })
    #expect(await cluster.coordinator.status.workers.map(\.name) == ["w1"])
    await cluster.stop()
  }
}
