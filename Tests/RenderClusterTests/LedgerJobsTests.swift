import Messaging
import Testing

@testable import RenderCluster

/// The life of jobs that are remembered.
@Suite struct LedgerJobsTests {
  /// A core with a worker, and a job that it renders.
  private func core(_ jobs: Int = 1) -> TestedCore {
    var core = TestedCore()
    core.happens(.began(filesUpTo: 0))
    core.join("w0")
    for number in 1...jobs { core.ask("\(number)", key: UInt8(number)) }
    for number in 1...jobs { core.submit(UInt64(number)) }
    return core
  }

  private func state(_ core: TestedCore, _ job: UInt64) -> JobState? { core.core.ledger.job(job).map(core.core.state) }

  // MARK: - Acceptance

  @Test func aJobIsWrittenDownBeforeItIsAccepted() {
    var core = TestedCore()
    let start = core.effects.count
    #expect(core.ask("cat") == .accepted(Acceptance(acknowledged: 5)))
    guard case .record(.job(let job), _)? = core.effects[start...].first else {
      Issue.record("it is not written down first")
      return
    }
    #expect(job.id == 1 && job.request == "cat")
    #expect(core.work == [1])
  }

  @Test func theSameRequestAgainIsTheSameJob() {
    var core = TestedCore()
    core.ask("cat")
    #expect(core.ask("cat") == .accepted(Acceptance(acknowledged: 5)))
    // Even if it could not be accepted now.
    #expect(core.ask("cat", error: JobError(.request, "no")) == .accepted(Acceptance(acknowledged: 5)))
    #expect(core.core.ledger.jobs.count == 1 && core.work == [1])
    #expect(core.ask("cat", client: "another") == .accepted(Acceptance(acknowledged: 5)))
    #expect(core.core.ledger.jobs.map(\.client) == ["client", "another"])
  }

  @Test func anotherRequestUnderTheSameKeyIsRefused() {
    var core = TestedCore()
    core.ask("cat")
    guard case .refused(let refusal)? = core.ask("dog") else {
      Issue.record("it is not refused")
      return
    }
    #expect(refusal.reason == .request && refusal.text.contains("job 1"))
    #expect(core.core.ledger.jobs.count == 1)
  }

  @Test func numbersOfJobsThatHaveLeftFilesAreNotGivenAgain() {
    var core = TestedCore()
    core.happens(.began(filesUpTo: 41))
    core.ask("cat")
    #expect(core.core.ledger.jobs.map(\.id) == [42])
  }

  @Test func jobsAreRefusedWhileTheDiskIsFull() {
    var core = TestedCore()
    core.join("w0")
    core.ask("1", key: 1)
    core.submit(1)
    core.happens(.disk(isFull: true))
    guard case .refused(let refusal)? = core.ask("2", key: 2) else {
      Issue.record("it is not refused")
      return
    }
    #expect(refusal.reason == .busy)
    // What has begun goes on to its end.
    core.compute(1)
    core.happens(.finished(job: 1))
    core.happens(.rendered(job: 1, []))
    #expect(state(core, 1) == .done)
    core.happens(.disk(isFull: false))
    #expect(core.ask("2", key: 2) == .accepted(Acceptance(acknowledged: 5)))
  }

  @Test func onlySoManyJobsArePreparedAsAreNear() {
    var core = TestedCore()
    for number in 1...40 as ClosedRange<UInt8> { core.ask("\(number)", key: number) }
    #expect(core.work == Array(1...16))
    // One that comes before them is.
    core.ask("urgent", key: 99, priority: 1)
    #expect(core.work.last == 41)
    core.command(.cancel(1))
    #expect(core.work.last == 41)
    core.command(.cancel(2))
    #expect(core.work.last == 17)
  }

  // MARK: - Endings

  @Test func aJobEndsOnceWhicheverComesFirst() {
    var core = core()
    core.command(.cancel(1))
    core.happens(.rendered(job: 1, []))
    core.happens(.failed(job: 1, JobError(.internal, "no")))
    #expect(state(core, 1) == .cancelled)
    #expect(core.records.count { if case .ended = $0 { true } else { false } } == 1)
    // What it has made meanwhile goes.
    #expect(core.effects.contains { if case .discard(let job) = $0 { job.id == 1 } else { false } })
  }

  @Test func whoWaitsIsToldOfTheEndAndWhoAsksLaterToo() {
    var core = core()
    core.happens(.rendered(job: 1, []))
    core.happens(.awaited(job: 1, from: Asker(TestedCore.client("client"), sequence: 3)))
    let deliveries = core.effects.count { if case .deliver(let job, _) = $0 { job.id == 1 } else { false } }
    #expect(deliveries == 2)
  }

  @Test func othersMayNotTouchAJob() {
    var core = core()
    var stranger = TestedCore.client("stranger")
    stranger.key = PublicKey("rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7")
    for command in [JobCommand.cancel(1), .pause(1), .prioritise(1, 5), .forget(1)] {
      guard case .refused(let refusal)? = core.command(command, by: stranger) else {
        Issue.record("\(command) is not refused")
        continue
      }
      #expect(refusal.reason == .denied)
    }
    stranger.role = .admin
    #expect(core.command(.cancel(1), by: stranger) == .received(Receipt(acknowledged: 6)))
  }

  @Test func aJobThatHasEndedCanBeRequeuedAndForgotten() {
    var core = core()
    guard case .refused? = core.command(.forget(1)) else {
      Issue.record("a job that runs is forgotten")
      return
    }
    core.command(.cancel(1))
    core.happens(.finished(job: 1))
    core.command(.requeue(1))
    #expect(state(core, 1) == .waiting && core.work == [1, 1])
    core.command(.cancel(1))
    core.command(.forget(1))
    #expect(core.core.ledger.jobs.isEmpty)
    // Its answer may have been lost.
    #expect(core.command(.forget(1)) == .received(Receipt(acknowledged: 6)))
    core.ask("1", key: 1)
    #expect(core.core.ledger.jobs.map(\.id) == [2])
  }

  // MARK: - Pauses and priorities

  @Test func aPausedJobLeavesTheStagesWhenItsStepIsDone() {
    var core = core()
    core.ask("2", key: 2, priority: -1)
    core.command(.pause(1))
    let key = SampleKey(job: 1, row: 0)
    // Its step is in flight.
    #expect(core.sample(key)?.inFlight != nil)
    core.compute(1)
    #expect(core.sample(key)?.state == .outside)
    #expect(core.sample(key)?.delivered == 1)
    core.want(1)
    core.wait(20_000)
    #expect(core.sample(key)?.inFlight == nil && state(core, 1) == .paused)
    core.command(.resume(1))
    // It does the steps again that made its caches, and goes on.
    #expect(core.sample(key)?.inFlight?.step == 0)
    core.compute(1)
    #expect(core.sample(key)?.inFlight?.step == 1)
    core.compute(1)
    #expect(core.sample(key)?.delivered == 2)
  }

  @Test func aPausedJobWithoutCachesGoesOnWhereItWas() {
    var core = TestedCore()
    core.join("w0")
    core.ask("1")
    var facts = TestedCore.facts()
    for block in facts.blocks.indices { facts.blocks[block].cacheBytes = 0 }
    core.submit(1, facts)
    core.command(.pause(1))
    core.compute(1)
    core.want(1)
    core.command(.resume(1))
    #expect(core.sample(SampleKey(job: 1, row: 0))?.inFlight?.step == 1)
    let openings = core.sent(to: "w0").filter { $0.kind == .openSample }
    #expect(openings.map(\.fence.step) == [0, 1])
  }

  @Test func aPausedJobIsNotBegun() {
    var core = core()
    core.command(.pause(1))
    core.compute(1)
    var ledger = core.core.ledger
    ledger.apply(.began(epoch: 2), date: 0)
    var next = TestedCore(ledger: ledger)
    next.happens(.began(filesUpTo: 0))
    #expect(next.work.isEmpty)
    next.command(.resume(1))
    #expect(next.work == [1])
  }

  @Test func jobsOfAHigherPriorityComeFirst() {
    // Room for one job.
    var core = TestedCore()
    core.join("w0", memoryBytes: 450)
    for number in 1...3 as ClosedRange<UInt8> { core.ask("\(number)", key: number) }
    for number in 1...3 as ClosedRange<UInt64> { core.submit(number) }
    core.command(.prioritise(3, 5))
    #expect(core.started == [1])
    core.happens(.finished(job: 1))
    #expect(core.started == [1, 3])
  }

  // MARK: - Losses

  @Test func aPoisonJobIsQuarantinedAcrossRestartsOfTheCoordinator() {
    var core = core()
    var incarnation: UInt64 = 1
    for _ in 1...4 {
      incarnation += 1
      core.join("w0", incarnation: incarnation)
    }
    #expect(core.core.ledger.job(1)?.losses == 4)
    var next = TestedCore(ledger: core.core.ledger)
    next.happens(.began(filesUpTo: 0))
    next.join("w0", incarnation: incarnation)
    // Until then others might come that hold something of it.
    next.wait(6_000)
    next.submit(1)
    for _ in 1...2 {
      incarnation += 1
      next.join("w0", incarnation: incarnation)
    }
    #expect(state(next, 1) == .failed)
    let job = next.core.ledger.job(1)
    #expect(job?.ending?.ending.reason == .quarantined)
    #expect(job?.troubles.map(\.worker) == Array(repeating: "w0", count: 6))
    next.command(.requeue(1))
    #expect(state(next, 1) == .waiting && next.core.ledger.job(1)?.losses == 0)
  }

  @Test func stepsThatAreDoneAgainDoNotClearAJob() {
    var core = core()
    for _ in 0..<3 {
      core.compute(1)
      core.want(1)
    }
    core.join("w0", incarnation: 2)
    #expect(core.core.ledger.job(1)?.losses == 1)
    var next = TestedCore(ledger: core.core.ledger)
    next.happens(.began(filesUpTo: 0))
    next.join("w0", incarnation: 2)
    // Until then others might come that hold something of it.
    next.wait(6_000)
    next.submit(1)
    for _ in 0..<3 {
      next.compute(1)
      next.want(1)
      #expect(next.core.ledger.job(1)?.losses == 1)
    }
    next.compute(1)
    #expect(next.core.ledger.job(1)?.losses == 0)
  }

  @Test func theWorkerThatWasLostWithAJobIsAvoidedWhileThereIsAnother() {
    // The first worker takes all blocks.
    var core = TestedCore(planning: { blocks, workers, samples, bytes in
      SimulatedPlanner.plan(blocks, Array(workers.sorted { $0.name < $1.name }.prefix(1)), samples, bytes)
    })
    for name in ["w0", "w1"] { core.join(name) }
    core.ask("1")
    core.submit(1)
    #expect(core.stages == ["w0"])
    core.join("w0", incarnation: 2)
    #expect(core.stages == ["w1"])
    core.happens(.gone(worker: "w1"))
    #expect(core.stages == ["w0"])
  }

  @Test func aWorkerThatIsLostWithThreeJobsIsSetAsideUntilItIsReadmitted() {
    var core = TestedCore(planning: { blocks, workers, samples, bytes in
      SimulatedPlanner.plan(blocks, Array(workers.sorted { $0.name < $1.name }.prefix(1)), samples, bytes)
    })
    for name in ["w0", "w1"] { core.join(name) }
    for job in 1...4 as ClosedRange<UInt64> {
      core.ask("\(job)", key: UInt8(job))
      // What it was lost with before does not keep it from being tried.
      core.happens(.gone(worker: "w1"))
      core.submit(job)
      guard job < 4 else { break }
      core.join("w1", incarnation: job + 10)
      core.join("w0", incarnation: job + 1)
      core.command(.cancel(job))
      core.happens(.finished(job: job))
    }
    #expect(core.core.ledger.setAside.map(\.worker) == ["w0"])
    core.wait(1000)
    #expect(core.stages.isEmpty)
    #expect(core.core.status(now: core.now * 1000).workers.map(\.state) == ["set aside"])
    guard case .refused(let refusal)? = core.command(.readmit(worker: "w7")) else {
      Issue.record("a worker that is not there is readmitted")
      return
    }
    #expect(refusal.text.contains("no worker w7"))
    core.command(.readmit(worker: "w0"))
    #expect(core.stages == ["w0"])
  }

  @Test func aWorkerIsNotSetAsideForAJobThatOthersAreLostWithToo() {
    var core = TestedCore(planning: { blocks, workers, samples, bytes in
      SimulatedPlanner.plan(blocks, Array(workers.sorted { $0.name < $1.name }.prefix(1)), samples, bytes)
    })
    for name in ["w0", "w1"] { core.join(name) }
    for job in 1...3 as ClosedRange<UInt64> {
      core.ask("\(job)", key: UInt8(job))
      core.submit(job)
    }
    // Whoever has the stages is lost; first with all three jobs, then with the first alone, until that is given up.
    var lost: [String] = []
    while core.core.ledger.job(1)?.ending == nil, let worker = core.stages.first, lost.count < 10 {
      lost.append(worker)
      core.join(worker, incarnation: UInt64(lost.count + 1))
    }
    #expect(core.core.ledger.job(1)?.ending?.ending.reason == .quarantined)
    // Either was lost three times, with three different jobs if one looks at it by itself.
    #expect(Set(lost).count == 2 && lost.count == 6, "\(lost)")
    #expect(!core.records.contains { if case .setAside = $0 { true } else { false } })
  }

  @Test func aWorkerThatObeysALaterCoordinatorIsLeftToIt() {
    var core = core()
    core.say(.refused(Refusal(.epoch)), fence: Fence(epoch: 2), from: "w0")
    #expect(core.core.workers.isEmpty)
    core.join("w0")
    #expect(core.core.workers.isEmpty)
    guard case .refused(let refusal)? = core.sent(to: "w0").last?.body else {
      Issue.record("it is not told")
      return
    }
    #expect(refusal.reason == .epoch)
    core.join("w0", incarnation: 2)
    #expect(core.core.workers.map(\.name) == ["w0"])
  }
}
