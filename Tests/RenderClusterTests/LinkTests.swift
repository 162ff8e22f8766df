import Messaging
import Testing

@testable import RenderCluster

/// How fast the links to workers are.
@Suite(.timeLimit(.minutes(2))) struct LinkTests {
  @Test func aLinkIsMeasuredWhenAWorkerJoinsUnlessItSaysItself() async throws {
    let keys = try TinyKeys("w0", "w1")
    let cluster = try await TinyCluster(TinyModel(.flux), keys: keys)
    try cluster.start("w0") { $0.bytesPerSecond = nil }
    try cluster.start("w1") { $0.bytesPerSecond = 5e6 }
    try await cluster.workersAreHere(2)
    var links: [Double] = []
    repeat {
      links = await cluster.coordinator.status.workers.map(\.bytesPerSecond)
      try await Task.sleep(for: .milliseconds(5))
    } while links[0] == WorkerRecord.assumedBytesPerSecond
    // CURVE on this machine does some hundred megabytes a second, and while all tests run much less.
    #expect(links[0] > 1e5 && links[0] < 1e11)
    #expect(links[1] == 5e6)
    await cluster.stop()
  }

  @Test func aSlowLinkIsFoundOutWithFewBytes() async throws {
    let keys = try TinyKeys("w0")
    let cluster = try await TinyCluster(TinyModel(.flux), keys: keys)
    let port = Relay.freePort()
    let relay = Relay(to: port, bytesPerSecond: 1_000_000)
    try cluster.start("w0") { configuration in
      configuration.bytesPerSecond = nil
      configuration.address = .tcp(host: "127.0.0.1", port: port)
      configuration.advertised = .tcp(host: "127.0.0.1", port: relay.port)
    }
    try await cluster.workersAreHere(1)
    while await cluster.coordinator.status.workers[0].bytesPerSecond == WorkerRecord.assumedBytesPerSecond {
      try await Task.sleep(for: .milliseconds(5))
    }
    let speed = await cluster.coordinator.status.workers[0].bytesPerSecond
    #expect(speed > 0 && speed < 1.2e6)
    await cluster.stop()
    relay.stop()
  }

  @Test func plansFollowFromTheMeasurementsAlone() {
    func stages(_ speeds: [Double]) -> [String] {
      var core = TestedCore()
      for (number, speed) in speeds.enumerated() {
        core.join("w\(number)")
        core.happens(.linkMeasured(worker: "w\(number)", bytesPerSecond: speed))
      }
      core.submit(1, TestedCore.facts(stateBytes: 1_000_000))
      return core.core.pipelines.flatMap { $0.plan.stages.map { "\($0.worker) \($0.blocks)" } }
    }
    // What differs in the third digit is the same.
    #expect(stages([1.234e9, 1.226e9]) == stages([1.2e9, 1.2e9]))
    #expect(stages([1.2e9, 1.2e9]).count == 2)
    // Hand-overs that take longer than the blocks leave one worker alone, the better one.
    #expect(stages([1e6, 2e6]) == ["w1 0..<4"])
  }
}
