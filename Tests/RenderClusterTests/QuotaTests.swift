import Messaging
import Testing

@testable import RenderCluster

/// As many jobs as a client may have, and more.
@Suite(.timeLimit(.minutes(1))) struct QuotaTests {
  private static let quota = Limits().jobsOfAClient

  /// Asks for jobs, each with a key of its own.
  ///
  /// - Returns: the answers that are no events.
  private func ask(_ core: inout TestedCore, _ numbers: Range<Int>, client: String) -> [MessageBody] {
    let start = core.effects.count
    for number in numbers {
      let key = (0..<Submission.keyBytes).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) }
      let submission = JobSubmission(
        key: key, request: "\(number)", priority: 0, verdict: .success(.init(model: "model", steps: 8)))
      core.happens(.asked(submission, from: Asker(TestedCore.client(client), sequence: UInt64(number))))
    }
    return core.effects[start...].compactMap { effect in
      guard case .send(let message, _, let peer) = effect, peer.name == client, message.kind != .event else {
        return nil
      }
      return message.body
    }
  }

  @Test func jobsBeyondTheQuotaAreRefusedAndCostNothing() {
    let quota = Self.quota
    var core = TestedCore()
    core.happens(.began(filesUpTo: 0))
    let accepted = ask(&core, 0..<quota, client: "anna")
    #expect(accepted.count { if case .accepted = $0 { true } else { false } } == quota)
    let known = core.core
    let refused = ask(&core, quota..<2 * quota, client: "anna")
    let refusals = refused.compactMap(\.refusal)
    #expect(refusals.count == quota && refusals.allSatisfy { $0.reason == .quota })
    #expect(refusals.first?.text == "This client has \(quota) jobs already that have not ended.")
    #expect(core.core.ledger == known.ledger && core.core.watchers.count == known.watchers.count)
    #expect(core.core.begun == known.begun && core.core.begun.count < 100)
    // What was accepted is answered again, under its number.
    #expect(ask(&core, 7..<8, client: "anna") == [.accepted(Acceptance(acknowledged: 7))])

    // Another's job does not wait for all of these.
    #expect(ask(&core, 0..<1, client: "ben") == [.accepted(Acceptance(acknowledged: 0))])
    let job = UInt64(quota + 1)
    #expect(core.core.ledger.job(job)?.client == "ben" && core.work.last == job)

    for job in 1...UInt64(quota) {
      core.command(.cancel(job), by: TestedCore.client("anna"))
    }
    #expect(core.core.ledger.openLoads.mapValues(\.jobs) == ["ben": 1] && core.core.ledger.open == [job])
    #expect(core.core.begun == [job] && core.core.watchers.count == 1)
    #expect(ask(&core, 2 * quota..<2 * quota + 1, client: "anna").first?.isAcceptance == true)
    for job in 1...UInt64(quota) { core.command(.forget(job), by: TestedCore.client("anna")) }
    #expect(core.core.ledger.jobs.count == 2)
  }

  @Test func requestsThatTakeTooManyBytesAreRefusedUntilOthersHaveEnded() {
    var core = TestedCore(requestBytesOfAClient: 100)
    core.happens(.began(filesUpTo: 0))
    // Of two bytes each.
    let sixty = String(repeating: "é", count: 30)
    #expect(core.ask(sixty, key: 1)?.isAcceptance == true)
    let known = core.core.ledger
    let refusal = core.ask(String(repeating: "x", count: 41), key: 2)?.refusal
    #expect(refusal?.reason == .quota)
    #expect(
      refusal?.text
        == "With this one, the requests of this client's jobs that have not ended would take 101 bytes; 100 are allowed."
    )
    #expect(core.core.ledger == known)
    #expect(core.ask(String(repeating: "x", count: 40), key: 3)?.isAcceptance == true)
    // What was accepted is answered again; and another's jobs are counted by themselves.
    #expect(core.ask(sixty, key: 1)?.isAcceptance == true)
    #expect(core.ask(sixty, key: 1, client: "ben")?.isAcceptance == true)
    #expect(core.ask("x", key: 4)?.refusal?.reason == .quota)

    core.command(.cancel(1))
    #expect(core.ask(sixty, key: 5)?.isAcceptance == true)
    // A job that begins anew counts like one that is accepted.
    #expect(core.command(.requeue(1))?.refusal?.reason == .quota)
    #expect(core.core.ledger.job(1)?.ending != nil)
    core.command(.cancel(4))
    #expect(core.command(.requeue(1))?.kind == .received)
    #expect(core.ask("x", key: 6)?.refusal?.reason == .quota)
    for job in core.core.ledger.open { core.happens(.rendered(job: job, [])) }
    #expect(core.core.ledger.openLoads.isEmpty)
  }

  /// The limit is none of the ledger's: a journal makes the same of its records under any.
  @Test func whatWasAcceptedStaysAcceptedThoughLessIsAllowedNow() throws {
    var core = TestedCore(requestBytesOfAClient: 100)
    core.happens(.began(filesUpTo: 0))
    for key: UInt8 in 1...3 { core.ask(String(repeating: "x", count: 30), key: key) }
    core.command(.cancel(2))
    let ledger = try Ledger(replaying: core.records.map { $0.record(date: 0) })
    #expect(ledger == core.core.ledger && ledger.open == [1, 3])
    #expect(try Ledger(replaying: ledger.snapshot) == ledger)

    var next = TestedCore(ledger: ledger, requestBytesOfAClient: 10)
    next.happens(.began(filesUpTo: 0))
    #expect(next.work == [1, 3])
    #expect(next.ask(String(repeating: "x", count: 30), key: 3)?.isAcceptance == true)
    #expect(next.ask("x", key: 4)?.refusal?.reason == .quota)
    for job in [1, 3] as [UInt64] { next.command(.cancel(job)) }
    #expect(next.ask("x", key: 4)?.isAcceptance == true)
  }

  /// The time of one does not grow with how many there are: thousands more take no more than some times as long.
  @Test func manyJobsTakeTimeInProportion() {
    func duration(_ count: Int) -> Duration {
      var core = TestedCore()
      return ContinuousClock().measure {
        _ = ask(&core, 0..<count, client: "anna")
        for job in 1...UInt64(count) {
          _ = core.core.handle(.command(.cancel(job), from: Asker(TestedCore.client("anna"), sequence: 1)), now: 1)
        }
      }
    }
    // Were all jobs looked at for each, it would take 2,500 times as long instead of 50.
    let few = (0..<3).map { _ in duration(200) }.min() ?? .zero
    #expect(duration(10_000) < few * 50 * 20)
  }
}

extension MessageBody {
  fileprivate var isAcceptance: Bool { if case .accepted = self { true } else { false } }

  fileprivate var refusal: Refusal? { if case .refused(let refusal) = self { refusal } else { nil } }
}
