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

  @Test func aDrainedWorkerThatNobodyHearsLeaves() {
    var asked = WorkerCore()
    _ = asked.handle(welcome(1), now: 0)
    #expect(!asked.handle(.drain, now: 1).contains(.leave))
    #expect(!asked.handle(.tick, now: 5_000_000).contains(.leave))
    _ = asked.handle(.tick, now: 7_000_000)
    #expect(asked.isFenced && asked.handle(.tick, now: 8_000_000).contains(.leave))

    var fenced = WorkerCore()
    _ = fenced.handle(welcome(1), now: 0)
    _ = fenced.handle(.tick, now: 7_000_000)
    #expect(fenced.handle(.drain, now: 8_000_000) == [.leave])
  }

  /// A worker with a stage, and a sample whose first step may begin when its input is here.
  ///
  /// - Parameter hasCondition: whether what the sample shall show is here.
  private func busy(hasCondition: Bool = true) -> WorkerCore {
    var core = WorkerCore()
    _ = core.handle(welcome(1), now: 0)
    let assignment = Assignment(
      blocks: 0..<2, stages: 1, model: TinyCluster.digest(2), precision: .float32, next: nil, previousKey: nil,
      leaseMilliseconds: 6000)
    let opening = SampleOpening(guidance: 1, rows: 1, columns: 1, seed: 1, steps: 8, textTokens: 0)
    let bodies: [MessageBody] = [.assign(assignment), .openSample(opening)]
    for (index, body) in bodies.enumerated() {
      let fence = Fence(epoch: 1, job: 1, attempt: 3, sequence: 1 << 32 | UInt64(index + 1))
      _ = core.handle(.message(Message(body, fence: fence), .empty), now: 0)
      if index == 0 { _ = core.handle(.loaded(attempt: 3, residentBytes: 0), now: 0) }
    }
    let key = SampleKey(job: 1, row: 0)
    if hasCondition { _ = core.handle(.conditionArrived(key, attempt: 3), now: 0) }
    let begin = Message(
      .stepBegin(StepOrder(.full, index: 0, timestep: 0)),
      fence: Fence(epoch: 1, job: 1, attempt: 3, sequence: 1 << 32 | 3))
    _ = core.handle(.message(begin, .empty), now: 0)
    return core
  }

  private let heartbeat = WorkerEvent.message(
    Message(.heartbeat(Heartbeat(progress: 1)), fence: Fence(epoch: 1)), .empty)

  private func computes(_ effects: [WorkerEffect]) -> Bool {
    effects.contains { if case .compute = $0 { true } else { false } }
  }

  /// Who computes and gets no further is taken for broken; who waits for tensors is not.
  @Test func aWorkerComputesNothingUntilItsPromptIsHere() {
    let key = SampleKey(job: 1, row: 0)
    var core = busy(hasCondition: false)
    _ = core.handle(.inputArrived(key, attempt: 3, step: 0), now: 0)
    #expect(!core.isComputing)
    _ = core.handle(.conditionIsHere(key, attempt: 3), now: 0)
    #expect(core.isComputing)
    #expect(computes(core.handle(.conditionArrived(key, attempt: 3), now: 0)))
    #expect(core.isComputing)
  }

  @Test func aWorkerWhoseLeaseHasRunOutBeginsNothingUntilItHearsAgain() {
    let key = SampleKey(job: 1, row: 0)
    var core = busy()
    #expect(!computes(core.handle(.tick, now: 7_000_000)))
    #expect(core.isFenced)
    #expect(!computes(core.handle(.inputArrived(key, attempt: 3, step: 0), now: 8_000_000)))
    #expect(computes(core.handle(heartbeat, now: 9_000_000)))
    #expect(!core.isFenced)
  }

  @Test func aWorkerWhoseLeaseHasRunOutTellsNothingUntilItHearsAgain() {
    let key = SampleKey(job: 1, row: 0)
    var core = busy()
    #expect(computes(core.handle(.inputArrived(key, attempt: 3, step: 0), now: 1)))
    let done = WorkerEvent.computed(key, attempt: 3, step: 0, StepReport(microseconds: 1), labels: .empty)
    #expect(core.handle(done, now: 8_000_000).isEmpty)
    _ = core.handle(.tick, now: 9_000_000)
    _ = core.handle(heartbeat, now: 10_000_000)
    let sent = core.handle(.tick, now: 13_000_000).compactMap { effect in
      if case .send(let message, _) = effect { message.kind } else { nil }
    }
    #expect(sent.contains(.stepDone))
  }

  @Test func aWorkerKeepsWhatItHoldsForTenMinutes() {
    var core = busy()
    #expect(!core.handle(.tick, now: 599_000_000).contains(.unload))
    #expect(core.handle(.tick, now: 601_000_000).contains(.unload))
  }

  @Test func aCoordinatorOfThePastIsToldThatItIs() {
    var core = WorkerCore()
    _ = core.handle(welcome(1, epoch: 5), now: 0)
    let effects = core.handle(welcome(9, epoch: 4), now: 1)
    guard case .send(let message, _)? = effects.first, case .refused(let refusal) = message.body else {
      Issue.record("it is not refused")
      return
    }
    #expect(refusal.reason == .epoch && message.fence.epoch == 5 && effects.count == 1)
  }

  // MARK: - Another coordinator

  private let key = SampleKey(job: 1, row: 0)
  private let assignment = Assignment(
    blocks: 0..<2, stages: 1, model: TinyCluster.digest(2), precision: .float32, next: nil, previousKey: nil,
    leaseMilliseconds: 6000, held: .init(epoch: 1, attempt: 3))
  private let opening = SampleOpening(
    guidance: 1, rows: 1, columns: 1, seed: 1, steps: 8, textTokens: 0, held: .init(attempt: 3, step: 1))

  /// One that has done the first step of its sample when a coordinator of a higher epoch comes.
  private func held() -> WorkerCore {
    var core = busy()
    _ = core.handle(.inputArrived(key, attempt: 3, step: 0), now: 1)
    _ = core.handle(.computed(key, attempt: 3, step: 0, StepReport(microseconds: 7), labels: .empty), now: 2)
    #expect(!core.handle(welcome(1, epoch: 2), now: 3).contains(.unload))
    return core
  }

  private func tell(_ core: inout WorkerCore, _ body: MessageBody, _ number: UInt64, step: UInt32 = 0) -> [WorkerEffect]
  {
    let fence = Fence(epoch: 2, job: 1, attempt: 8, step: step, sequence: 1 << 32 | number)
    return core.handle(.message(Message(body, fence: fence), .empty), now: 4)
  }

  private func posted(_ effects: [WorkerEffect]) -> [MessageBody] {
    effects.compactMap { if case .send(let message, _) = $0, message.fence.sequence > 0 { message.body } else { nil } }
  }

  @Test func whatIsWholeIsHeldForACoordinatorThatWasStartedAgain() throws {
    var core = busy()
    // It is computing when the coordinator comes.
    _ = core.handle(.inputArrived(key, attempt: 3, step: 0), now: 1)
    var told: [HeldSamples] = []
    for event in [
      welcome(1, epoch: 2), .computed(key, attempt: 3, step: 0, StepReport(microseconds: 7), labels: .empty),
    ] {
      for case .send(let message, let payload) in core.handle(event, now: 3) {
        guard case .held(let stage) = message.body else {
          Issue.record("\(message) is told of a step that nobody has asked for")
          continue
        }
        #expect(stage.epoch == 1 && message.fence.attempt == 3 && message.fence.epoch == 2)
        told.append(try HeldSamples(payload))
      }
    }
    #expect(
      told.map(\.samples) == [
        [.init(key: key, attempt: 3, step: 0, isBusy: true)], [.init(key: key, attempt: 3, step: 1, isBusy: false)],
      ])
  }

  @Test func aStageThatIsRecognisedIsNotLoadedAgain() {
    var core = held()
    let effects = tell(&core, .assign(assignment), 1)
    #expect(effects.contains(.adopt(assignment, attempt: 8, stage: 0)))
    #expect(posted(effects) == [.ready(Readiness(residentBytes: 0))])
    let opened = tell(&core, .openSample(opening), 2, step: 0)
    #expect(opened.contains(.resume(key, held: 3, attempt: 8, step: 1, isOutputWanted: true)))
    #expect(posted(opened) == [.stepDone(StepReport(microseconds: 7))])
  }

  @Test func anyOtherStageIsLoaded() {
    for change in [
      { $0.held = .init(epoch: 1, attempt: 2) }, { $0.held = nil }, { $0.blocks = 0..<1 }, { $0.precision = .int8 },
      { $0.model = TinyCluster.digest(3) },
    ] as [(inout Assignment) -> Void] {
      var (core, other) = (held(), assignment)
      change(&other)
      let effects = tell(&core, .assign(other), 1)
      #expect(effects.contains(.unload) && effects.contains(.load(other, attempt: 8, stage: 0)))
    }
  }

  @Test func aSampleThatIsNotHeldSoIsRefused() {
    for (step, change) in [
      (0, { $0.held = .init(attempt: 2, step: 1) }), (1, { $0.held = .init(attempt: 3, step: 2) }),
      (0, { $0.seed = 2 }),
      (2, { _ in }),
    ] as [(UInt32, (inout SampleOpening) -> Void)] {
      var (core, other) = (held(), opening)
      change(&other)
      _ = tell(&core, .assign(assignment), 1)
      let effects = tell(&core, .openSample(other), 2, step: step)
      guard case .failed(let failure)? = posted(effects).first else {
        Issue.record("it is not refused")
        continue
      }
      #expect(failure.reason == .unexpected && effects.contains(.close(key, attempt: 3)))
    }
  }

  @Test func whatNobodyTakesOverIsLetGoAfterTenMinutes() {
    var core = held()
    var seconds: Int64 = 0
    func letsGo(by end: Int64) -> Bool {
      var letsGo = false
      while seconds < end {
        seconds += 1
        let heartbeat = Message(.heartbeat(Heartbeat(progress: 1)), fence: Fence(epoch: 2))
        _ = core.handle(.message(heartbeat, .empty), now: seconds * 1_000_000)
        if core.handle(.tick, now: seconds * 1_000_000).contains(.unload) { letsGo = true }
      }
      return letsGo
    }
    #expect(!letsGo(by: 599))
    #expect(letsGo(by: 601))
  }
}
