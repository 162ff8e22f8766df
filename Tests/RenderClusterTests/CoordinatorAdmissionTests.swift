import Messaging
import Testing

@testable import RenderCluster

/// Which jobs are let in, and into what.
@Suite struct CoordinatorAdmissionTests {
  @Test func aJobThatNoWorkerCanDoDoesNotHoldUpOthers() {
    var core = TestedCore()
    core.join("w0")
    core.submit(1, TestedCore.facts(model: TinyCluster.digest(9)))
    core.submit(2)
    #expect(core.started == [2])
    core.join("w1", models: [TinyCluster.digest(9)])
    core.compute(2)
    core.happens(.finished(job: 2))
    #expect(core.started == [2, 1])
  }

  @Test func samplesThatBelongTogetherAreGivenRoomTogether() {
    // 4 blocks of 100 bytes, and 40 bytes of caches a sample: room for one sample at one worker, for two at two.
    var core = TestedCore()
    core.join("w0", memoryBytes: 450)
    core.submit(1, TestedCore.facts(rows: 2))
    core.wait(5000)
    #expect(core.assignments == 0)
    #expect(core.core.status(now: 0).obstacle != nil)
    core.join("w1", memoryBytes: 450)
    core.wait(5000)
    #expect(core.assignments == 1)
    #expect(core.started == [1])
  }

  @Test func afterALossOnlyAsManyJobsGoOnAsHaveRoom() {
    var core = TestedCore(planning: SimulatedPlanner.plan)
    for name in ["w0", "w1"] { core.join(name, memoryBytes: 450) }
    for job in 1...3 as ClosedRange<UInt64> { core.submit(job) }
    #expect(core.started == [1, 2, 3])
    core.happens(.gone(worker: "w1"))
    #expect(core.stages == ["w0"])
    #expect(core.core.jobs.map(\.isAdmitted) == [true, false, false])
    core.happens(.finished(job: 1))
    #expect(core.core.jobs.map(\.isAdmitted) == [true, false])
  }

  @Test func workersThatJoinOneByOneChangeTheStagesOnce() {
    var core = TestedCore()
    core.idle = ["w0", "w1", "w2", "w3"]
    core.join("w0")
    for job in 1...8 as ClosedRange<UInt64> { core.submit(job) }
    for name in ["w1", "w2", "w3"] {
      core.wait(1000)
      core.join(name)
    }
    #expect(core.assignments == 1)
    core.wait(5000)
    #expect(core.assignments == 2)
    #expect(core.stages.count == 4)
    core.wait(20_000)
    #expect(core.assignments == 2)
  }

  @Test func aWorkerThatJoinsUnderLoadIsUsedOnceTheJobsInFlightAreDone() {
    var core = TestedCore()
    core.join("w0")
    for job in 1...6 as ClosedRange<UInt64> { core.submit(job) }
    #expect(core.started == [1, 2, 3, 4])
    core.wait(3000)
    core.join("w1")
    core.wait(3000)
    core.happens(.finished(job: 1))
    #expect(core.started == [1, 2, 3, 4])
    for job in 2...4 as ClosedRange<UInt64> { core.happens(.finished(job: job)) }
    #expect(core.stages.count == 2)
    #expect(core.started == [1, 2, 3, 4, 5, 6])
  }

  @Test func aSampleThatCannotGoOnEndsItsJobOnce() {
    var core = TestedCore()
    core.join("w0")
    core.submit(1, TestedCore.facts(rows: 2))
    let attempt = core.sample(SampleKey(job: 1, row: 0))?.attempt ?? 0
    core.post(.failed(StageFailure(.request, "no such grid")), Fence(job: 1, attempt: attempt), from: "w0")
    #expect(core.endings[1]?.map(\.reason) == [.request])
    let count = core.effects.count
    core.happens(.closed(SampleKey(job: 1, row: 0)))
    core.happens(.finished(job: 1))
    core.happens(.cancelled(job: 1))
    #expect(core.effects.count == count)
  }

  @Test func aSampleThatIsClosedWhileItIsOpenedIsForgotten() {
    var core = TestedCore()
    core.join("w0")
    core.happens(.submitted(job: 1, TestedCore.facts()))
    core.mute = ["w0"]
    core.open(1)
    let key = SampleKey(job: 1, row: 0)
    let opening = core.sent(to: "w0").last { $0.kind == .openSample }
    core.happens(.closed(key))
    core.say(.received(Receipt(acknowledged: opening?.fence.sequence ?? 0)), from: "w0")
    #expect(core.sent(to: "w0").last { $0.kind == .closeSample }?.fence.attempt == opening?.fence.attempt)
    #expect(!core.effects.contains { if case .sendCondition = $0 { true } else { false } })
  }

  @Test func aLoadThatFailedIsTriedAgainAfterAMinute() {
    var core = TestedCore()
    core.idle = ["w0"]
    for name in ["w0", "w1"] { core.join(name, memoryBytes: 250) }
    core.submit(1)
    let attempt = core.core.pipelines.first?.attempt ?? 0
    core.post(.failed(StageFailure(.storage, "a broken disk")), Fence(attempt: attempt), from: "w0")
    #expect(core.stages.isEmpty)
    core.idle = []
    core.wait(61_000)
    #expect(core.started == [1])
    #expect(core.endings.isEmpty)
  }
}
