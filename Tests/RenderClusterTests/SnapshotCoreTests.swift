import Messaging
import Testing

@testable import RenderCluster

/// When the coordinator has snapshots taken, and what it makes of them.
@Suite struct SnapshotCoreTests {
  private let key = SampleKey(job: 1, row: 0)

  /// A job of full steps, with as many done, each after so many seconds.
  private func core(steps: Int, seconds: Int64, snapshotBytes: Int = 1 << 30) -> TestedCore {
    var core = TestedCore(snapshotBytes: snapshotBytes)
    core.join("w0")
    core.submit(1)
    for _ in 0..<steps {
      core.wait(seconds * 1000)
      core.compute(1)
      core.want(1)
    }
    return core
  }

  private func orders(_ core: TestedCore) -> [UInt32] {
    core.sent(to: "w0").filter { $0.kind == .takeSnapshot }.map(\.fence.step)
  }

  private func fence(_ core: TestedCore, _ step: UInt32) -> Fence {
    Fence(job: 1, attempt: core.sample(key)?.attempt ?? 0, step: step)
  }

  private func manifest(_ block: Int = 0, floats: Int = 3) -> Payload {
    let items = [SnapshotManifest.Item(name: "x", shape: [floats], precision: .float32)]
    return SnapshotManifest(blocks: [.init(number: block, items: items)], lastFullStep: 0).payload
  }

  @Test func theyAreTakenAsOftenAsCostsAndFailuresAreInBalance() {
    // √(2 · 0.05 s · 21,600 s) are 46.5 seconds.
    #expect(orders(core(steps: 9, seconds: 5)) == [])
    #expect(orders(core(steps: 10, seconds: 5)) == [10])
  }

  @Test func anExpensiveOneIsFollowedByTheNextLater() {
    var core = core(steps: 10, seconds: 5)
    core.post(.snapshot, payload: manifest(), fence(core, 10), from: "w0")
    core.wait(5_000)
    core.happens(.snapshotArrived(key, attempt: fence(core, 10).attempt, stage: 0))
    #expect(core.effects.last == .keepSnapshot(key, step: 10))
    // Five seconds make an interval of 465.
    for _ in 0..<40 {
      core.compute(1)
      core.want(1)
      core.wait(10_000)
    }
    #expect(orders(core) == [10])
    for _ in 0..<8 {
      core.compute(1)
      core.want(1)
      core.wait(10_000)
    }
    #expect(orders(core).count == 2)
  }

  @Test func whatALossWouldCostGrowsUntilASnapshotIsKept() {
    func cost(_ core: TestedCore) -> Int64? { core.core.status(now: 1000 * core.now).jobs.first?.lossMilliseconds }
    var core = core(steps: 10, seconds: 5)
    #expect(cost(core) == 50_000)
    core.post(.snapshot, payload: manifest(), fence(core, 10), from: "w0")
    core.wait(3_000)
    #expect(cost(core) == 53_000)
    core.happens(.snapshotArrived(key, attempt: fence(core, 10).attempt, stage: 0))
    #expect(cost(core) == 3_000)
    core.wait(1_000)
    #expect(cost(core) == 4_000)
  }

  @Test func whatIsOfOtherBlocksOrTooLargeIsNotTaken() {
    for payload in [manifest(4), manifest(floats: 2 << 20), Payload("{")] {
      var core = core(steps: 10, seconds: 5)
      core.post(.snapshot, payload: payload, fence(core, 10), from: "w0")
      #expect(core.sample(key)?.coming == nil)
      #expect(
        core.effects.contains {
          if case .note(let text) = $0 { text.hasPrefix("There are no snapshots of job 1") } else { false }
        })
      core.happens(.snapshotArrived(key, attempt: fence(core, 10).attempt, stage: 0))
      #expect(core.sample(key)?.snapshot == nil)
      // The job goes on.
      core.compute(1)
      #expect(core.sample(key)?.delivered == 11)
    }
  }

  @Test func withoutRoomForThemThereAreNone() {
    let core = core(steps: 12, seconds: 5, snapshotBytes: 4 << 20)
    #expect(orders(core) == [])
    let notes = core.effects.filter {
      if case .note(let text) = $0 { text.hasPrefix("There are no snapshots of job 1") } else { false }
    }
    #expect(notes.count == 1)
  }

  @Test func oneThatDoesNotArriveIsGivenUp() {
    var core = core(steps: 10, seconds: 5)
    #expect(core.sample(key)?.coming != nil)
    core.compute(1)
    core.wait(121_000)
    #expect(core.sample(key)?.coming == nil)
  }

  @Test func aPipelineThatTakesOverBeginsWithTheSnapshot() {
    var core = core(steps: 10, seconds: 5)
    core.post(.snapshot, payload: manifest(), fence(core, 10), from: "w0")
    core.happens(.snapshotArrived(key, attempt: fence(core, 10).attempt, stage: 0))
    core.compute(1)
    core.want(1)
    core.join("w1")
    let start = core.effects.count
    core.happens(.gone(worker: "w0"))
    let kinds = core.sent(to: "w1", from: start).map(\.kind)
    #expect(kinds.firstIndex(of: .openSample).map { kinds[($0 + 1)...].first { $0 != .received } } == .snapshot)
    let opening = core.sent(to: "w1", from: start).first { $0.kind == .openSample }
    #expect(opening?.fence.step == 10)
    let sends = core.effects[start...].compactMap { effect in
      if case .sendSnapshot(_, _, let step, let stages) = effect {
        (step, stages)
      } else {
        nil as (UInt32, [Range<Int>])?
      }
    }
    #expect(sends.map(\.0) == [10] && sends.map(\.1) == [[0..<4]])
    #expect(core.sample(key)?.position == 10 && core.sample(key)?.delivered == 11)
  }
}
