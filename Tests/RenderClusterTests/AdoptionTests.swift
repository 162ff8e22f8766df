import Messaging
import Testing

@testable import RenderCluster

/// A coordinator that was started again, and what workers hold of the jobs that it knows.
@Suite struct AdoptionTests {
  private let key = SampleKey(job: 1, row: 0)

  /// Job 1 was in the stages when the process before this one ended.
  private static func ledger(began date: UInt64) -> Ledger {
    var ledger = Ledger()
    let job = LedgerJob(
      id: 1, client: "client", key: [UInt8](repeating: 1, count: 16), request: "a", model: "model", steps: 8,
      accepted: 0)
    for entry in [.began(epoch: 1), .job(job), .entered(job: 1)] as [LedgerEntry] { ledger.apply(entry, date: date) }
    return ledger
  }

  /// Two workers that hold a stage each, and have told of nothing yet.
  ///
  /// - Parameter seconds: from the start of the coordinator before to that of this one.
  private func core(after seconds: UInt64 = 100) -> TestedCore {
    let date: UInt64 = 1_000_000_000
    var core = TestedCore(planning: SimulatedPlanner.plan, ledger: Self.ledger(began: date), epoch: 2)
    core.date = date + seconds * 1_000_000
    core.happens(.began(filesUpTo: 0))
    for name in ["w0", "w1"] { core.join(name) }
    return core
  }

  private func hold(
    _ core: inout TestedCore, _ stage: UInt32, step: UInt32 = 5, attempt: UInt32 = 9, isBusy: Bool = false,
    pipeline: UInt32 = 4
  ) {
    let body = HeldStage(
      epoch: 1, blocks: stage * 2..<stage * 2 + 2, stages: 2, model: TestedCore.model, precision: .float32)
    let sample = HeldSamples.Sample(key: key, attempt: attempt, step: step, isBusy: isBusy)
    core.post(
      .held(body), payload: HeldSamples(samples: [sample]).payload, Fence(attempt: pipeline, stage: stage),
      from: "w\(stage)")
  }

  /// The denoiser opens its sample and asks for orders until one has no answer.
  private func open(_ core: inout TestedCore, answers: Int) {
    let opening = SampleOpening(guidance: 1, rows: 1, columns: 1, seed: 1, steps: 8, textTokens: 0)
    core.happens(.opened(key, opening, settings: .empty, answers: answers))
    for _ in 0...answers { core.want(1) }
  }

  private func openings(_ core: TestedCore, _ worker: String) -> [(SampleOpening.Held?, UInt32)] {
    core.sent(to: worker).compactMap { message in
      if case .openSample(let opening) = message.body { (opening.held, message.fence.step) } else { nil }
    }
  }

  private func assignments(_ core: TestedCore, _ worker: String) -> [Assignment.Held?] {
    core.sent(to: worker).compactMap { if case .assign(let assignment) = $0.body { assignment.held } else { nil } }
  }

  @Test func stagesThatAreHeldAreNotLoadedAgain() {
    var core = core()
    for stage in 0...1 as ClosedRange<UInt32> { hold(&core, stage) }
    core.submit(1)
    for worker in ["w0", "w1"] { #expect(assignments(core, worker) == [.init(epoch: 1, attempt: 4)]) }
    #expect(core.started == [1] && core.assignments == 0)
  }

  @Test func aSampleGoesOnWhereItsStagesAreAndTheLastAnswerIsGivenAgain() throws {
    var core = core()
    for stage in 0...1 as ClosedRange<UInt32> { hold(&core, stage) }
    core.happens(.submitted(job: 1, TestedCore.facts()))
    open(&core, answers: 4)
    for worker in ["w0", "w1"] {
      let openings = openings(core, worker)
      #expect(openings.count == 1 && openings[0].0 == .init(attempt: 9, step: 5) && openings[0].1 == 4)
    }
    let attempt = try #require(core.sample(key)).attempt
    #expect(core.effects.contains(.expectOutput(key, attempt: attempt, step: 4)))
    // Its prompt is there.
    #expect(!core.effects.contains(.sendCondition(key, attempt: attempt)))
    core.compute(1)
    #expect(core.sample(key)?.delivered == 5)
    core.want(1)
    #expect(core.effects.contains(.sendLatents(key, attempt: attempt, step: 5)))
    #expect(!core.effects.contains(.sendLatents(key, attempt: attempt, step: 4)))
  }

  @Test func whatHasBeenAnsweredIsNotAskedForAgain() throws {
    var core = core()
    for stage in 0...1 as ClosedRange<UInt32> { hold(&core, stage) }
    core.happens(.submitted(job: 1, TestedCore.facts()))
    open(&core, answers: 5)
    let attempt = try #require(core.sample(key)).attempt
    #expect(openings(core, "w0").map(\.1) == [5])
    #expect(core.effects.contains(.sendLatents(key, attempt: attempt, step: 5)))
  }

  /// Of all stages, or of none.
  @Test(arguments: ["step", "attempt", "pipeline", "answers", "one stage"])
  func whatDoesNotAgreeIsLetGoOf(_ difference: String) {
    var core = core()
    hold(&core, 0)
    switch difference {
    case "step": hold(&core, 1, step: 4)
    case "attempt": hold(&core, 1, attempt: 8)
    case "pipeline": hold(&core, 1, pipeline: 3)
    case "one stage": break
    default: hold(&core, 1)
    }
    core.submit(1)
    core.wait(8_000)
    if !core.started.isEmpty, core.sample(key) == nil { open(&core, answers: difference == "answers" ? 3 : 4) }
    core.wait(1_000)
    for worker in ["w0", "w1"] {
      let openings = openings(core, worker)
      #expect(openings.map(\.1) == [0] && openings.allSatisfy { $0.0 == nil }, "\(difference) \(worker)")
    }
  }

  @Test func aStepBetweenTheStagesIsWaitedFor() {
    var core = core()
    hold(&core, 0)
    hold(&core, 1, step: 4, isBusy: true)
    core.happens(.submitted(job: 1, TestedCore.facts()))
    #expect(core.started.isEmpty)
    core.wait(1_000)
    hold(&core, 1)
    open(&core, answers: 4)
    #expect(openings(core, "w1").map(\.1) == [4])
  }

  @Test func aStageThatDoesNotHoldItMakesAllLetGo() throws {
    var core = core()
    for stage in 0...1 as ClosedRange<UInt32> { hold(&core, stage) }
    core.happens(.submitted(job: 1, TestedCore.facts()))
    open(&core, answers: 4)
    let attempt = try #require(core.sample(key)).attempt
    core.post(
      .failed(StageFailure(.unexpected, "it is not held")), Fence(job: 1, attempt: attempt, stage: 1, step: 4),
      from: "w1")
    core.wait(1_000)
    for worker in ["w0", "w1"] {
      #expect(core.sent(to: worker).contains { $0.kind == .closeSample && $0.fence.attempt == attempt })
      #expect(openings(core, worker).map(\.1) == [4, 0])
    }
    #expect(core.endings.isEmpty)
  }

  @Test func workersThatAreMissingAreWaitedForAFewSeconds() {
    var (core, half) = (core(), core())
    core.submit(1)
    #expect(core.started.isEmpty && core.assignments == 0)
    core.wait(1_000)
    #expect(core.started == [1])
    // There must be another.
    hold(&half, 0)
    half.submit(1)
    half.wait(2_400)
    #expect(half.started.isEmpty && half.assignments == 0)
    half.wait(200)
    #expect(half.started == [1])
  }

  @Test func whoIsEndedAgainAndAgainWaitsForAShareOfItsLifeOnly() {
    var core = core(after: 2)
    hold(&core, 0)
    core.submit(1)
    core.wait(900)
    #expect(core.started.isEmpty && core.assignments == 0)
    core.wait(200)
    #expect(core.started == [1])
  }

  @Test func aJobOfNoLedgerIsNotMistakenForOneOfBefore() {
    var core = TestedCore(planning: SimulatedPlanner.plan, epoch: 2)
    for name in ["w0", "w1"] { core.join(name) }
    for stage in 0...1 as ClosedRange<UInt32> { hold(&core, stage, step: 1) }
    core.submit(1)
    #expect(openings(core, "w0").map(\.0) == [nil])
  }

  // MARK: - On the wire

  @Test(arguments: [
    "", "[]", #"{"samples": 1}"#, #"{"samples": [{"job": 1, "row": 0, "attempt": 0, "step": 1, "busy": false}]}"#,
    #"{"samples": [{"job": -1, "row": 0, "attempt": 1, "step": 1, "busy": false}]}"#,
    #"{"samples": [{"job": 1, "row": 0, "attempt": 1, "step": 1}]}"#,
    #"{"samples": [{"job": 1, "row": 0, "attempt": 1, "step": 1, "busy": true}, {"job": 1, "row": 0, "attempt": 2, "step": 1, "busy": true}]}"#,
  ])
  func whatIsNoListOfSamplesIsRefused(_ json: String) {
    #expect(throws: WireError.self) { try HeldSamples(Payload(json)) }
  }

  @Test func aListOfSamplesArrivesAsItWasSent() throws {
    let list = HeldSamples(
      samples: (1...3).map { .init(key: SampleKey(job: $0, row: 1), attempt: 7, step: 2, isBusy: $0 == 2) })
    #expect(try HeldSamples(list.payload) == list)
  }
}
