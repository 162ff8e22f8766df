import Messaging
import Testing

@testable import RenderCluster

/// How workers are lost, and who is to blame.
@Suite struct CoordinatorLossTests {
  @Test func aWorkerThatSpeaksAndDoesNotHearIsLost() {
    var core = TestedCore()
    core.join("w0")
    core.mute = ["w0"]
    for _ in 0..<8 {
      core.wait(1000)
      core.say(.received(Receipt(acknowledged: 1)), from: "w0")
    }
    #expect(core.core.workers.isEmpty)
  }

  @Test func aWorkerThatWasLostIsAskedToSayHello() {
    var core = TestedCore()
    core.join("w0")
    core.mute = ["w0"]
    core.wait(8000)
    core.say(.received(Receipt(acknowledged: 1)), from: "w0")
    guard case .refused(let refusal)? = core.sent(to: "w0").last?.body else {
      Issue.record("it is not answered")
      return
    }
    #expect(refusal.reason == .unexpected)
    core.join("w0")
    #expect(core.core.workers.map(\.name) == ["w0"])
  }

  @Test func anOlderProcessIsToldThatItIsReplaced() {
    var core = TestedCore()
    core.join("w0", incarnation: 2)
    core.happens(.gone(worker: "w0"))
    core.join("w0", incarnation: 1)
    #expect(core.core.workers.isEmpty)
    guard case .refused(let refusal)? = core.sent(to: "w0").last?.body else {
      Issue.record("it is not answered")
      return
    }
    #expect(refusal.reason == .replaced)
  }

  @Test func aWorkerThatDoesNotKnowItsSessionIsWelcomedAgain() {
    var core = TestedCore()
    core.join("w0")
    let start = core.effects.count
    core.say(.heartbeat(Heartbeat()), fence: Fence(epoch: 1, attempt: 77), from: "w0")
    #expect(core.sent(to: "w0", from: start).map(\.kind) == [.welcome])
    core.say(.heartbeat(Heartbeat()), fence: Fence(epoch: 1, attempt: core.core.workers[0].session), from: "w0")
    #expect(core.sent(to: "w0", from: start).count == 1)
  }

  // MARK: - Tensors that do not get through

  @Test func aPipelineInWhichNothingArrivesIsGivenUpLaterEachTimeUntilJobsAreDone() {
    var core = TestedCore()
    core.join("w0")
    core.submit(1)
    core.wait(9_500)
    #expect(core.notes("do not get through") == 0)
    core.wait(1_500)
    #expect(core.notes("do not get through") == 1)
    core.wait(18_500)
    #expect(core.notes("do not get through") == 1)
    core.wait(2_000)
    #expect(core.notes("do not get through") == 2)
    for job: UInt64 in 1...3 {
      core.happens(.finished(job: job))
      core.submit(job + 1)
    }
    core.wait(11_000)
    #expect(core.notes("do not get through") == 3)
    #expect(core.core.workers.map(\.name) == ["w0"])
  }

  @Test func aStepMayTakeLongerWhereOneBeforeTookLong() {
    var core = TestedCore()
    core.join("w0")
    core.submit(1)
    core.wait(9_000)
    core.compute(1)
    core.want(1)
    core.wait(16_000)
    #expect(core.notes("do not get through") == 0)
    core.wait(3_000)
    #expect(core.notes("do not get through") == 1)
  }

  // MARK: - Sessions

  @Test func aMessageOfAnOlderSessionIsNotTaken() {
    var core = TestedCore()
    core.join("w0")
    let old = UInt64(core.core.workers[0].session) << 32
    core.happens(.gone(worker: "w0"))
    core.join("w0")
    let start = core.effects.count
    core.say(.release, fence: Fence(epoch: 1, sequence: old + 1), from: "w0")
    #expect(!core.core.workers[0].isDraining)
    #expect(core.sent(to: "w0", from: start).isEmpty)
    core.post(.release, Fence(), from: "w0")
    #expect(core.core.workers[0].isDraining)
  }

  @Test func aReceiptOfAnOlderEpochAcknowledgesNothing() {
    var core = TestedCore()
    core.idle = ["w0"]
    core.mute = ["w0"]
    core.join("w0")
    core.submit(1)
    let assignment = core.sent(to: "w0").last { $0.kind == .assign }?.fence.sequence ?? 0
    core.say(.received(Receipt(acknowledged: assignment)), fence: Fence(epoch: 0), from: "w0")
    #expect(core.core.workers[0].outbox.count == 1)
    core.say(.received(Receipt(acknowledged: assignment)), from: "w0")
    #expect(core.core.workers[0].outbox.isEmpty)
  }

  @Test func aWorkerThatComputesNothingIsToldToGo() {
    var core = TestedCore()
    core.join("w0")
    core.submit(1)
    core.mute = ["w0"]
    for _ in 0..<14 where !core.core.workers.isEmpty {
      let start = core.effects.count
      core.wait(1000)
      for message in core.sent(to: "w0", from: start) {
        if case .heartbeat(let heartbeat) = message.body { core.answer(heartbeat, "w0", progress: 5, block: 1) }
      }
    }
    #expect(core.core.workers.isEmpty)
    guard case .refused(let refusal)? = core.sent(to: "w0").last?.body else {
      Issue.record("it is not told")
      return
    }
    #expect(refusal.reason == .replaced)
    core.join("w0")
    #expect(core.core.workers.isEmpty)
    core.join("w0", incarnation: 2)
    #expect(core.core.workers.map(\.name) == ["w0"])
  }

  @Test func aWorkerThatComputesForLongIsLeftAlone() {
    var core = TestedCore()
    core.join("w0")
    core.submit(1)
    core.mute = ["w0"]
    for second in 0..<60 as Range<UInt64> {
      let start = core.effects.count
      core.wait(1000)
      for message in core.sent(to: "w0", from: start) {
        if case .heartbeat(let heartbeat) = message.body {
          core.answer(heartbeat, "w0", progress: second / 8, block: 1)
        }
      }
    }
    #expect(core.core.workers.map(\.name) == ["w0"])
  }

  @Test func aCoordinatorThatStoodStillBlamesNobody() {
    var core = TestedCore()
    core.join("w0")
    core.submit(1)
    core.wait(3000)
    let attempt = core.core.pipelines.map(\.attempt)
    core.mute = ["w0"]
    core.now += 60_000
    core.happens(.tick)
    core.wait(4000)
    #expect(core.core.workers.map(\.name) == ["w0"])
    #expect(core.core.pipelines.map(\.attempt) == attempt)
    core.wait(4000)
    #expect(core.core.workers.isEmpty)
  }

  @Test func aStepThatDoesNotArriveBeginsAgainElsewhere() {
    var core = TestedCore()
    core.join("w0")
    core.submit(1)
    let attempt = core.sample(SampleKey(job: 1, row: 0))?.attempt ?? 0
    core.wait(12_000)
    #expect(core.core.workers.map(\.name) == ["w0"])
    #expect(core.sample(SampleKey(job: 1, row: 0))?.attempt ?? 0 > attempt)
  }

  @Test func aPoisonJobFailsAndTheJobsBesideItDoNot() {
    var core = TestedCore()
    core.join("w0")
    for job in 1...3 as ClosedRange<UInt64> { core.submit(job) }
    var incarnation: UInt64 = 1
    // Job 2 kills whatever worker it is in; the others get further when they are let in without it.
    for _ in 0..<40 where !core.core.jobs.isEmpty {
      if core.sample(SampleKey(job: 2, row: 0))?.inFlight != nil {
        incarnation += 1
        core.join("w0", incarnation: incarnation)
      } else {
        for job in [1, 3] as [UInt64] where core.sample(SampleKey(job: job, row: 0))?.inFlight != nil {
          core.compute(job)
          core.happens(.finished(job: job))
        }
      }
    }
    #expect(incarnation == 7)
    #expect(core.endings[2]?.map(\.reason) == [.quarantined])
    #expect(core.endings[1] == nil && core.endings[3] == nil)
    #expect(core.core.jobs.isEmpty)
  }

  @Test func aWorkerThatDiesAgainAndAgainIsAvoidedWhileThereAreOthers() {
    // The first worker takes all blocks.
    var core = TestedCore { blocks, workers, samples, bytes in
      SimulatedPlanner.plan(blocks, Array(workers.sorted { $0.name < $1.name }.prefix(1)), samples, bytes)
    }
    for name in ["w0", "w1"] { core.join(name) }
    core.submit(1)
    #expect(core.stages == ["w0"])
    for incarnation in 2...3 as ClosedRange<UInt64> { core.join("w0", incarnation: incarnation) }
    #expect(core.stages == ["w1"])
    core.happens(.gone(worker: "w1"))
    #expect(core.stages == ["w0"])
  }

  @Test func aDrainedWorkerIsLetGoOnce() {
    var core = TestedCore()
    for name in ["w0", "w1"] { core.join(name) }
    core.post(.release, Fence(), from: "w1")
    core.submit(1)
    core.happens(.finished(job: 1))
    core.submit(2)
    core.happens(.finished(job: 2))
    #expect(core.sent(to: "w1").filter { $0.kind == .release }.count == 1)
  }
}
