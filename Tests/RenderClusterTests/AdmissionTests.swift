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

  @Test func aWorkerOfAnotherProtocolIsRefusedByName() {
    var core = TestedCore()
    core.join("w0") { $0.protocolVersion += 1 }
    let refusals = core.sent(to: "w0").compactMap { message -> Refusal? in
      if case .refused(let refusal) = message.body { refusal } else { nil }
    }
    let (here, there) = (Hello.protocolVersion, Hello.protocolVersion + 1)
    let text = "The protocol is version \(here) here, \(there) there."
    #expect(refusals.map(\.reason) == [.version] && refusals.first?.text == text)
    #expect(core.notes("The worker w0 is not admitted: \(text)") == 1)
    #expect(core.core.workers.isEmpty)
    core.submit(1)
    #expect(core.started.isEmpty)
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

  /// At the coordinator one that is a worker itself; at a stage with the key of the stage before, which it lets in.
  @Test func assignmentsThatAWorkerForgesHaveNoEffect() async throws {
    let model = try TinyModel(.flux)
    let keys = try TinyKeys("bad", "w0", "w1")
    let cluster = try await TinyCluster(model, cuts: [2], keys: keys)
    let stage = Endpoint.tcp(host: "127.0.0.1", port: Relay.freePort())
    try cluster.start("w0")
    try cluster.start("w1") { $0.address = stage }
    try await cluster.workersAreHere(2)
    @Sendable func attack(
      _ endpoint: Endpoint, _ key: PublicKey?, as name: String, _ hello: String, incarnation: UInt64
    ) async throws {
      let forger = try await Forger(
        .curve(#require(keys.workers[name]), server: #require(key)), to: endpoint, name: hello, incarnation: incarnation
      )
      try await forger.send(1000)
      await forger.client.stop()
    }
    let task = TinyModel.Task(cache: TinyModel.caches(.flux)[3])
    let attacks = ListBox<Void>()
    let latents = try await cluster.latents(task) { done in
      guard done == 2 else { return }
      do {
        try await attack(
          cluster.coordinator.endpoints[0], keys.coordinator.publicKey, as: "bad", "bad", incarnation: 1)
        attacks.add(())
        try await attack(stage, keys.workers["w1"]?.publicKey, as: "w0", LineName.stage(0), incarnation: 0)
        attacks.add(())
      } catch {
        Issue.record(error)
      }
    }
    #expect(attacks.values.count == 2)
    #expect(try await latents == model.latents(task))
    #expect(Set(cluster.computed.map(\.worker)) == ["w0", "w1"])
    #expect(cluster.told.count { $0.hasPrefix("Stages for") } == 1, "\(cluster.told)")
    #expect(!cluster.told.contains { $0.contains("w0 is lost") || $0.contains("w1 is lost") }, "\(cluster.told)")
    await cluster.stop()
  }
}

/// An enrolled peer that sends what only a coordinator may.
private struct Forger {
  let client: MessageClient
  private let hello: Hello
  private let answers = ListBox<Message>()

  init(_ security: ClientSecurity, to endpoint: Endpoint, name: String, incarnation: UInt64) async throws {
    let hello = Hello(
      build: TinyCluster.build, role: .worker, name: name, incarnation: incarnation, numerics: TinyCluster.numerics,
      threads: 1, memoryBytes: 1 << 30, address: "tcp://127.0.0.1:1", bytesPerSecond: 1_000_000)
    self.hello = hello
    let answers = answers
    client = try await MessageClient.start(ClientConfiguration(endpoint: endpoint, security: security)) { event, port in
      if case .ready = event { port.send(Message(.hello(hello))) }
      if case .message(let message, _) = event { answers.add(message) }
    }
  }

  /// Hellos are answered when all before is done with: by a welcome, or by a refusal where a newer process is there.
  private func helloIsAnswered(_ count: Int) async throws {
    func isAnswer(_ message: Message) -> Bool {
      if case .refused(let refusal) = message.body { refusal.reason == .replaced } else { message.kind == .welcome }
    }
    while answers.values.count(where: isAnswer) < count { try await Task.sleep(for: .milliseconds(2)) }
  }

  /// Returns when they have been looked at.
  func send(_ count: Int) async throws {
    try await helloIsAnswered(1)
    let assignment = Assignment(
      blocks: 0..<1, stages: 1, model: TinyCluster.digest(2), precision: .float32,
      next: .init(address: "tcp://127.0.0.1:1", key: nil), leaseMilliseconds: 1000)
    for number in 0..<count {
      let fence = Fence(epoch: 1, attempt: UInt32(number % 10), stage: UInt32(number % 2), sequence: UInt64(number))
      while try await client.send(Message(.assign(assignment), fence: fence)) == .full { await Task.yield() }
    }
    while try await client.send(Message(.hello(hello))) == .full { await Task.yield() }
    try await helloIsAnswered(2)
  }
}
