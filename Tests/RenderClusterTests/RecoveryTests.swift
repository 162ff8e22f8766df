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

  /// The process that takes a lost one's place in front of a stage may have been started before it.
  @Test(arguments: [false, true])
  func aStageHearsWhoeverIsInFrontOfItNow(isProtected: Bool) async throws {
    let model = try TinyModel(.flux)
    let cut = TinyCluster.planning([2])
    let cluster = try await TinyCluster(
      model,
      planning: { blocks, workers, samples, bytes in
        cut(blocks, [workers.first, workers.last].compactMap { $0 }, samples, bytes)
      }, keys: isProtected ? TinyKeys("w0", "w1", "w2") : nil)
    for (index, name) in ["w1", "w2", "w0"].enumerated() {
      try cluster.start(name)
      try await cluster.workersAreHere(index + 1)
    }
    let task = try clusca()
    let latents = try await cluster.latents(task) { done in if done == 3 { await cluster.kill("w0") } }
    #expect(try await latents == model.latents(task))
    let stages = cluster.told.filter { $0.hasPrefix("Stages for") }
    #expect(stages.count == 2 && stages[0].contains("w0") && stages.allSatisfy { $0.contains("w2") }, "\(cluster.told)")
    #expect(!cluster.told.contains { $0.contains("do not get through") })
    await cluster.stop()
  }

  /// On a connection without keys; CURVE would end it.
  @Test func aBitThatIsFlippedBetweenTwoStagesIsFoundAndSentAgain() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [2])
    let relay = Relay(to: Relay.freePort())
    try cluster.start("w0")
    try cluster.start("w1") { configuration in
      configuration.address = .tcp(host: "127.0.0.1", port: relay.target)
      configuration.advertised = .tcp(host: "127.0.0.1", port: relay.port)
    }
    try await cluster.workersAreHere(2)
    let task = try clusca(steps: 12)
    let latents = try await cluster.latents(task) { done in
      // From here on only hidden states are so many bytes. One at a time, as a second one of the same chunk is too many.
      if (1...9).contains(done) { relay.flipBit(.forward, of: 1000) }
    }
    #expect(relay.flips > 0)
    #expect(try await latents == model.latents(task))
    #expect(!cluster.told.contains { $0.contains("is lost") || $0.contains("begins again") }, "\(cluster.told)")
    #expect(cluster.told.count { $0.hasPrefix("Stages for") } == 1)
    print("\(relay.flips) flipped bits were found")
    await cluster.stop()
    relay.stop()
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

  @Test func aWorkerWhoseConnectionEndsIsNoticedAndReplaced() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [2])
    for name in ["w0", "w1", "w2"] { try cluster.start(name) }
    try await cluster.workersAreHere(3)
    let task = try clusca()
    let latents = try await cluster.latents(task) { done in if done == 3 { await cluster.silence("w0") } }
    #expect(try await latents == model.latents(task))
    #expect(cluster.told.contains { $0.contains("w0 is lost: its connection has ended") })
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

  @Test func aDrainedWorkerHandsItsJobsOverWithoutAStepDoneTwice() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [2])
    for name in ["w0", "w1", "w2"] { try cluster.start(name) }
    try await cluster.workersAreHere(3)
    let task = try clusca(steps: 12)
    let latents = try await cluster.latents(task) { done in if done == 2 { cluster.drain("w0") } }
    #expect(try await latents == model.latents(task))
    try await cluster.end(of: "w0")
    #expect(cluster.told.contains { $0.contains("Job 1 is handed over to other workers, with 4 steps done") })
    for step: UInt32 in 0..<12 {
      let spans = cluster.computed.filter { $0.step == step }
      #expect(spans.count == 4, "step \(step)")
      #expect(spans.contains { $0.worker == "w2" } == (step >= 4), "step \(step)")
    }
    await cluster.stop()
  }

  @Test func aDrainedWorkerThatNobodyCanReplaceEndsItsJobsFirst() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [2])
    for name in ["w0", "w1"] { try cluster.start(name) }
    try await cluster.workersAreHere(2)
    let task = try clusca()
    let latents = try await cluster.latents(task) { done in if done == 2 { cluster.drain("w0") } }
    #expect(try await latents == model.latents(task))
    try await cluster.end(of: "w0")
    await cluster.stop()
  }

  // MARK: - Snapshots

  /// Full steps are 0, 1, 4 and 7.
  @Test(arguments: [.flux, .dit, .hunyuanVideo] as [TinyModel.Family])
  func aJobGoesOnFromItsLastSnapshotWithTheSameBits(family: TinyModel.Family) async throws {
    let model = try TinyModel(family)
    let cluster = try await TinyCluster(
      model, cuts: [2], keys: family == .flux ? TinyKeys("w0", "w1", "w2") : nil, secondsBetweenFailures: 0)
    for name in ["w0", "w1", "w2"] { try cluster.start(name) }
    try await cluster.workersAreHere(3)
    var task = TinyModel.Task(cache: TinyModel.caches(family).first { $0.method == .clusca }!)
    task.isGuided = true
    let latents = try await cluster.latents(task) { done in
      // The snapshot was taken before the step that is done.
      if done == 4 { await cluster.snapshotIsKept(of: 4) }
      if done == 5 { await cluster.kill("w0") }
    }
    #expect(try await latents == model.latents(task))
    let again = cluster.computed.filter { $0.worker == "w2" }
    #expect(!again.isEmpty && again.allSatisfy { $0.step >= 4 })
    #expect(cluster.computed.filter { $0.step == 3 }.count == 4)
    await cluster.stop()
  }

  @Test func aJobWhoseSnapshotsHaveNoRoomBeginsAgainFromItsFirstStep() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [2], secondsBetweenFailures: 0, snapshotBytes: 1 << 10)
    for name in ["w0", "w1", "w2"] { try cluster.start(name) }
    try await cluster.workersAreHere(3)
    let task = try clusca()
    let latents = try await cluster.latents(task) { done in if done == 5 { await cluster.kill("w0") } }
    #expect(try await latents == model.latents(task))
    #expect(cluster.told.contains { $0.contains("There are no snapshots of job 1") })
    #expect(cluster.computed.contains { $0.worker == "w2" && $0.step == 0 })
    await cluster.stop()
  }

  @Test func aJobThatHasLostAPipelineIsKeptAtEachFullStep() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, cuts: [2])
    for name in ["w0", "w1", "w2", "w3"] { try cluster.start(name) }
    try await cluster.workersAreHere(4)
    let task = try clusca()
    let latents = try await cluster.latents(task) { done in
      if done == 2 { await cluster.kill("w0") }
      if done == 4 { await cluster.snapshotIsKept(of: 4) }
      if done == 5 { await cluster.kill("w1") }
    }
    #expect(try await latents == model.latents(task))
    #expect(cluster.computed.filter { $0.worker == "w3" }.allSatisfy { $0.step >= 4 })
    await cluster.stop()
  }
}
