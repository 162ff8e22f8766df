import Messaging
import Rendering
import Tensors
import Testing

@testable import RenderCluster

/// Links that lose everything in one direction or both, while the connection stays.
@Suite(.timeLimit(.minutes(2))) struct PartitionTests {
  @Test(arguments: [[Relay.Direction.forward], [.backward], [.forward, .backward]])
  func aWorkerBehindADeadLinkIsReplacedAndComesBackWhenItHeals(_ cut: [Relay.Direction]) async throws {
    let model = try TinyModel(.flux)
    let keys = try TinyKeys("w0", "w1", "w2")
    let cluster = try await TinyCluster(model, cuts: [2], keys: keys)
    guard case .tcp(_, let port) = cluster.coordinator.endpoints[0] else { return }
    let relay = Relay(to: port)
    try cluster.start("w0") { $0.coordinator = .tcp(host: "127.0.0.1", port: relay.port) }
    for name in ["w1", "w2"] { try cluster.start(name) }
    try await cluster.workersAreHere(3)
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[3], isGuided: true)
    let latents = try await cluster.latents(task) { done in if done == 3 { relay.cut(Set(cut)) } }
    #expect(try await latents == model.latents(task))
    #expect(cluster.told.contains { $0.contains("w0 is lost: it has been silent") })
    for direction in cut { #expect(relay.lost(direction) > 0) }
    relay.cut([])
    try await cluster.workersAreHere(3)
    // It is one of the stages again, and what it sent of the old attempt has no effect.
    let again = TinyModel.Task(cache: task.cache, seed: 8, isGuided: true)
    #expect(try await cluster.latents(again) == model.latents(again))
    await cluster.stop()
    relay.stop()
  }

  @Test func aWorkerWhoseConnectionBreaksComesBackAndKeepsItsStage() async throws {
    let model = try TinyModel(.flux)
    let keys = try TinyKeys("w0", "w1")
    let cluster = try await TinyCluster(model, cuts: [2], keys: keys)
    guard case .tcp(_, let port) = cluster.coordinator.endpoints[0] else { return }
    let relay = Relay(to: port)
    try cluster.start("w0") { $0.coordinator = .tcp(host: "127.0.0.1", port: relay.port) }
    try cluster.start("w1")
    try await cluster.workersAreHere(2)
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[3], isGuided: true)
    // All connections are open already: they are closed and made anew.
    let latents = try await cluster.latents(task) { done in if done == 3 { relay.cut([]) } }
    #expect(try await latents == model.latents(task))
    while relay.connections < 2 { try await Task.sleep(for: .milliseconds(5)) }
    // Longer than one that does not come back is waited for.
    try await Task.sleep(for: .seconds(3))
    #expect(!cluster.told.contains { $0.contains("is lost") })
    #expect(cluster.told.count { $0.hasPrefix("Stages for") } == 1)
    await cluster.stop()
    relay.stop()
  }

  @Test func aDeadLinkBetweenTwoStagesIsNoticedAlthoughBothAnswer() async throws {
    let model = try TinyModel(.flux)
    let keys = try TinyKeys("w0", "w1")
    let cluster = try await TinyCluster(model, cuts: [2], keys: keys)
    let port = Relay.freePort()
    let relay = Relay(to: port)
    try cluster.start("w0")
    try cluster.start("w1") { configuration in
      configuration.address = .tcp(host: "127.0.0.1", port: port)
      configuration.advertised = .tcp(host: "127.0.0.1", port: relay.port)
    }
    try await cluster.workersAreHere(2)
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[3], isGuided: true)
    let healing = Task {
      while !cluster.told.contains(where: { $0.contains("tensors do not get through") }) {
        try await Task.sleep(for: .milliseconds(20))
      }
      relay.cut([])
    }
    let latents = try await cluster.latents(task) { done in if done == 3 { relay.cut([.forward]) } }
    #expect(try await latents == model.latents(task))
    #expect(relay.lost(.forward) > 0 && !cluster.told.contains { $0.contains("is lost") })
    try await healing.value
    await cluster.stop()
    relay.stop()
  }
}
