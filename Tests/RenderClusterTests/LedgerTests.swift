import Journaling
import Messaging
import StrictJSON
import Testing

@testable import RenderCluster

/// What a ledger makes of its entries, and what is written of it.
@Suite struct LedgerTests {
  private static func job(_ id: UInt64, client: String = "c", key: UInt8 = 1) -> LedgerJob {
    LedgerJob(
      id: id, client: client, key: [UInt8](repeating: key, count: Submission.keyBytes),
      request: "{\"prompt\":\"\u{1}é\"}",
      model: "m", steps: 8, accepted: 5, priority: 3)
  }

  private static func ending(_ outcome: JobEnding.Outcome, _ reason: Reason? = nil) -> LedgerJob.Ending {
    .init(
      ending: JobEnding(outcome, reason: reason, text: "so"), date: 9,
      outputs: outcome == .done ? [.init(name: "a.png", bytes: 3, digest: TinyCluster.digest(4))] : [])
  }

  private static let entries: [LedgerEntry] = [
    .began(epoch: 1_795_665_690), .job(job(1)), .job(job(2, key: 2)), .job(job(4, client: "d")), .entered(job: 1),
    .lost(job: 1, worker: "w0", mark: 3, text: "it has been silent"), .advanced(job: 1, mark: 4),
    .lost(job: 1, worker: "w1", mark: 4, text: "it has been silent"), .paused(job: 2), .resumed(job: 2),
    .paused(job: 4), .prioritised(job: 2, -7), .ended(job: 1, ending(.done)),
    .ended(job: 2, ending(.failed, .quarantined)), .requeued(job: 2), .ended(job: 2, ending(.cancelled)),
    .forgotten(job: 1), .setAside(worker: "w1", text: "why"), .setAside(worker: "w0", text: "why"),
    .readmitted(worker: "w1"), .numbered(upTo: 17),
  ]

  @Test func whatIsWrittenIsReadAsItWas() throws {
    for entry in Self.entries {
      #expect(try LedgerEntry(entry.record(date: 7)) == entry)
    }
  }

  @Test func aReplayMakesTheSameLedger() throws {
    var ledger = Ledger()
    for (index, entry) in Self.entries.enumerated() {
      ledger.apply(entry, date: UInt64(index))
      let records = Self.entries.prefix(index + 1).enumerated().map { $1.record(date: UInt64($0)) }
      #expect(try Ledger(replaying: records) == ledger)
      // And so does the snapshot of any moment.
      #expect(try Ledger(replaying: ledger.snapshot) == ledger)
    }
    #expect(ledger.jobs.map(\.id) == [2, 4])
    #expect(ledger.open == [4])
    #expect(ledger.lastJob == 17)
    #expect(ledger.setAside.map(\.worker) == ["w0"])
  }

  @Test func ofTwoEndingsTheFirstStays() {
    var ledger = Ledger()
    ledger.apply(.job(Self.job(1)), date: 0)
    ledger.apply(.ended(job: 1, Self.ending(.cancelled)), date: 1)
    ledger.apply(.ended(job: 1, Self.ending(.done)), date: 2)
    #expect(ledger.job(1)?.ending == Self.ending(.cancelled))
    ledger.apply(.entered(job: 1), date: 3)
    #expect(ledger.job(1)?.attempts == 0)
  }

  @Test func recordsThatMakeNoSenseAreNamed() {
    let good = LedgerEntry.job(Self.job(1)).record(date: 0)
    for (record, reason) in [
      (JournalRecord(type: 12, date: 0, payload: []), "is of the kind 12, which only a newer clusca knows"),
      (JournalRecord(type: 3, date: 0, payload: Array("{}".utf8)), "lacks a part"),
      (JournalRecord(type: 3, date: 0, payload: Array("{".utf8)), "is no JSON"),
    ] {
      let error = #expect(throws: LedgerError.self) { try Ledger(replaying: [good, record]) }
      #expect(error?.description.hasPrefix("record 2 \(reason)") == true)
    }
  }

  /// Somebody else has written them: no number may be such that counting on from it ends the process.
  @Test(arguments: [
    "attempts", "losses", "mark", "requeues", "priority", "steps",
  ]) func numbersThatCannotBeAreRefused(key: String) {
    for number in [Int.min, -1 << 40, 1 << 40, .max] {
      var json = Self.job(1).json
      json[key] = .integer(number)
      let record = JournalRecord(type: 2, date: 0, payload: Array(JSONValue.object(json).text().utf8))
      #expect(throws: LedgerEntry.Unreadable(description: "lacks a part")) { try LedgerEntry(record) }
    }
  }

  @Test func orderAndStepsThatCannotBeAreRefused() {
    for (type, text) in [
      (4, "{\"job\":1,\"worker\":\"w\",\"mark\":\(Int.max),\"text\":\"\"}"),
      (4, "{\"job\":1,\"worker\":\"w\",\"mark\":-1,\"text\":\"\"}"), (5, "{\"job\":1,\"mark\":\(Int.max)}"),
      (8, "{\"job\":1,\"priority\":\(Int.min)}"),
    ] as [(UInt16, String)] {
      let record = JournalRecord(type: type, date: 0, payload: Array(text.utf8))
      #expect(throws: LedgerEntry.Unreadable(description: "lacks a part")) { try LedgerEntry(record) }
    }
  }

  /// A snapshot holds dates as JSON.
  @Test func aDateBeyondAllYearsStaysTheSameInASnapshot() throws {
    let loss = LedgerEntry.lost(job: 1, worker: "w0", mark: 3, text: "so")
    let ledger = try Ledger(replaying: [LedgerEntry.job(Self.job(1)).record(date: 0), loss.record(date: .max)])
    #expect(ledger.job(1)?.troubles.map(\.date) == [UInt64(Int.max)])
    #expect(try Ledger(replaying: ledger.snapshot) == ledger)
  }

  @Test func aRequestIsOneJobWhateverTheJournalSays() throws {
    var ledger = Ledger()
    for id in [5, 3, 5] as [UInt64] { ledger.apply(.job(Self.job(id)), date: 0) }
    #expect(ledger.jobs.map(\.id) == [5])
    #expect(try Ledger(replaying: ledger.snapshot) == ledger)
  }

  /// A newer program may add keys.
  @Test func keysThatAreUnknownArePassedOver() throws {
    let record = JournalRecord(type: 3, date: 0, payload: Array("{\"job\":3,\"mood\":[1]}".utf8))
    #expect(try LedgerEntry(record) == .entered(job: 3))
  }

  @Test func clientsOfOnePriorityTakeTurns() {
    let jobs = [(1, "a", 0), (2, "a", 0), (3, "a", 0), (4, "b", 0), (5, "b", 0), (6, "c", 1), (7, "c", -1)].map {
      LedgerJob(
        id: UInt64($0.0), client: $0.1, key: [], request: "", model: "", steps: 1, accepted: 0, priority: $0.2)
    }
    #expect(JobOrder(jobs, beside: []).places.map { jobs[$0].id } == [6, 1, 4, 2, 5, 3, 7])
    // Whoever has jobs running has had turns.
    #expect(JobOrder(jobs, beside: ["a", "a"]).places.map { jobs[$0].id } == [6, 4, 5, 1, 2, 3, 7])
  }
}
