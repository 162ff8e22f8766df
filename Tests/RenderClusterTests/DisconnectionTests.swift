import Messaging
import Testing

@testable import RenderCluster

/// Workers whose connections end, or seem to.
@Suite struct DisconnectionTests {
  private func peer(_ core: TestedCore, _ name: String = "w0") -> Peer? {
    core.core.workers.first { $0.name == name }?.peer
  }

  /// A worker that has a stage, after some time.
  private func core() -> TestedCore {
    var core = TestedCore()
    core.join("w0")
    core.submit(1)
    core.wait(1000)
    return core
  }

  @Test func aWorkerThatDoesNotComeBackIsLostBeforeItIsSilentForLong() throws {
    var core = core()
    core.mute = ["w0"]
    core.happens(.disconnected(try #require(peer(core))))
    #expect(core.core.workers.map(\.name) == ["w0"])
    core.wait(2000)
    #expect(core.core.workers.map(\.name) == ["w0"])
    core.wait(500)
    #expect(core.core.workers.isEmpty)
    #expect(core.core.jobs.first?.losses == 1)
    // It is told to say hello when it comes back later.
    core.say(.received(Receipt(acknowledged: 1)), from: "w0")
    core.join("w0", connection: 1)
    #expect(core.stages == ["w0"])
  }

  @Test func aWorkerThatComesBackKeepsItsStage() throws {
    var core = core()
    let attempt = core.core.pipelines.first?.attempt
    core.mute = ["w0"]
    core.happens(.disconnected(try #require(peer(core))))
    core.wait(1500)
    core.mute = []
    core.join("w0", connection: 1)
    core.wait(6000)
    #expect(core.core.workers.map(\.name) == ["w0"])
    #expect(core.core.pipelines.first?.attempt == attempt && core.assignments == 1)
    #expect(core.core.jobs.first?.losses == 0)
  }

  @Test func aWorkerThatAnswersIsThereWhateverWasSaidOfItsConnection() throws {
    var core = core()
    core.happens(.disconnected(try #require(peer(core))))
    core.wait(3000)
    #expect(core.core.workers.map(\.name) == ["w0"])
    // From then on it is as good as any.
    core.mute = ["w0"]
    core.wait(4000)
    #expect(core.core.workers.map(\.name) == ["w0"])
  }

  /// Also if an end was seen before that was none.
  @Test(arguments: [false, true]) func whatWasSaidBeforeTheEndIsNoAnswer(isSecond: Bool) throws {
    var core = core()
    core.mute = ["w0"]
    let start = core.effects.count
    if isSecond { core.happens(.disconnected(try #require(peer(core)))) }
    core.wait(1000)
    core.happens(.disconnected(try #require(peer(core))))
    for message in core.sent(to: "w0", from: start) {
      if case .heartbeat(let heartbeat) = message.body { core.answer(heartbeat, "w0") }
    }
    core.wait(2500)
    #expect(core.core.workers.isEmpty)
  }

  @Test func theEndOfAnEarlierConnectionIsNothing() throws {
    var core = core()
    let earlier = try #require(peer(core))
    core.join("w0", connection: 1)
    core.mute = ["w0"]
    core.happens(.disconnected(earlier))
    core.wait(4000)
    #expect(core.core.workers.map(\.name) == ["w0"])
  }

  @Test func aCoordinatorThatStoodStillWaitsAsLongAsOneThatDidNot() throws {
    var core = core()
    core.mute = ["w0"]
    core.happens(.disconnected(try #require(peer(core))))
    core.now += 60_000
    core.wait(1500)
    #expect(core.core.workers.map(\.name) == ["w0"])
    core.wait(1500)
    #expect(core.core.workers.isEmpty)
  }
}
