import Messaging
import Testing

@testable import RenderCluster

@Suite struct WorkerCoreTests {
  private func welcome(_ session: UInt32, epoch: UInt64 = 1) -> WorkerEvent {
    .message(
      Message(
        .welcome(Welcome(build: "test", leaseMilliseconds: 6000)), fence: Fence(epoch: epoch, attempt: session)), .empty
    )
  }

  @Test func aWelcomeThatIsLateIsNotObeyed() {
    var core = WorkerCore()
    _ = core.handle(welcome(5), now: 0)
    _ = core.handle(welcome(3), now: 1)
    #expect(core.fence.attempt == 5)
    _ = core.handle(welcome(1, epoch: 2), now: 2)
    #expect(core.fence == Fence(epoch: 2, attempt: 1))
    _ = core.handle(welcome(9, epoch: 1), now: 3)
    #expect(core.fence == Fence(epoch: 2, attempt: 1))
  }

  @Test func aSilentCoordinatorIsGreetedAgain() {
    var core = WorkerCore()
    #expect(core.handle(.tick, now: 60_000_000).isEmpty)
    _ = core.handle(welcome(1), now: 60_000_000)
    #expect(core.handle(.tick, now: 65_000_000).isEmpty)
    let heartbeat = Message(.heartbeat(Heartbeat(progress: 1)), fence: Fence(epoch: 1))
    #expect(core.handle(.message(heartbeat, .empty), now: 65_500_000).isEmpty)
    #expect(core.handle(.tick, now: 71_000_000).isEmpty)
    #expect(core.handle(.tick, now: 72_000_000) == [.greet])
    #expect(core.handle(.tick, now: 73_000_000).isEmpty)
  }

  @Test func ordersOfAnotherSessionAreNotTaken() {
    var core = WorkerCore()
    _ = core.handle(welcome(2), now: 0)
    for session in [0, 1, 3] as [UInt64] {
      let release = Message(.release, fence: Fence(epoch: 1, sequence: session << 32 | 1))
      #expect(core.handle(.message(release, .empty), now: 1).isEmpty)
    }
    let release = Message(.release, fence: Fence(epoch: 1, sequence: 2 << 32 | 1))
    #expect(core.handle(.message(release, .empty), now: 1).count == 1)
  }

  @Test func aDrainedWorkerAsksAgainInEverySession() {
    var core = WorkerCore()
    _ = core.handle(welcome(1), now: 0)
    #expect(core.handle(.drain, now: 1).count == 1)
    let effects = core.handle(welcome(2), now: 2)
    guard case .send(let message, _)? = effects.last else {
      Issue.record("it does not ask")
      return
    }
    #expect(message == Message(.release, fence: Fence(epoch: 1, sequence: 2 << 32 | 1)))
  }
}
