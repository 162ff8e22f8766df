import Files
import Journaling
import Messaging
import Testing

@testable import RenderCluster

/// What goes to the disk, and what waits for it.
@Suite(.timeLimit(.minutes(1))) struct JournalWriterTests {
  private static func record(_ job: UInt64) -> JournalRecord { LedgerEntry.entered(job: job).record(date: 0) }

  private static func open(_ disk: SimulatedDisk) throws -> Journal {
    try Journal.open(disk, segmentBytes: 1 << 16).journal
  }

  private static func events(
    _ disk: SimulatedDisk, _ body: (JournalWriter) -> Void
  ) throws -> [JournalWriter.Event] {
    let events = ListBox<JournalWriter.Event>()
    let writer = JournalWriter(try open(disk)) { events.add($0) }
    body(writer)
    writer.finish()
    return events.values
  }

  private static func durable(_ events: [JournalWriter.Event]) -> [UInt64] {
    events.compactMap { if case .durable(let sequence, _) = $0 { sequence } else { nil } }
  }

  @Test func recordsOfOneTimeGoToTheDiskTogether() throws {
    let events = try Self.events(SimulatedDisk()) { writer in
      for job in 1...500 as ClosedRange<UInt64> { writer.append([Self.record(job)]) }
    }
    let sequences = Self.durable(events)
    #expect(sequences.last == 500)
    #expect(sequences == sequences.sorted() && sequences.count < 500)
  }

  @Test func nothingIsOnTheDiskThatCouldNotBeForcedToIt() throws {
    let disk = SimulatedDisk()
    disk.failsNext = true
    let events = try Self.events(disk) { writer in
      writer.append([Self.record(1)])
      writer.finish()
      writer.append([Self.record(2)])
    }
    #expect(Self.durable(events).isEmpty)
    guard case .failed(.file(let error))? = events.first, events.count == 1 else {
      Issue.record("it does not fail once: \(events)")
      return
    }
    #expect(error.action == .writing)
  }

  @Test func aSnapshotThatHasNoRoomIsTriedAgain() throws {
    let disk = SimulatedDisk()
    let events = try Self.events(disk) { writer in
      writer.append([Self.record(1)])
      writer.finish()
      disk.isFull = true
      writer.compact([Self.record(1)])
      writer.append([Self.record(2)])
      writer.finish()
      disk.isFull = false
      writer.compact([Self.record(1), Self.record(2)])
    }
    #expect(events.count { if case .noRoom = $0 { true } else { false } } == 1)
    #expect(Self.durable(events).last == 2)
    #expect(disk.names() == ["journal-00000002.log"])
  }

  @Test func effectsWaitForWhatTheyFollowFrom() {
    var held = HeldEffects(hasJournal: true, sequence: 7)
    let heartbeat = CoordinatorEffect.send(
      Message(.heartbeat(Heartbeat())), .empty, to: TestedCore.client())
    // Not even a heartbeat may tell of an epoch that is not on the disk.
    let first = held.take([.record(.began(epoch: 2), date: 0), heartbeat, .note("a")])
    #expect(first.records.count == 1 && first.atOnce.isEmpty)
    #expect(held.next() == nil)
    held.durable = 8
    #expect(held.next() == heartbeat)
    #expect(held.next() == .note("a"))
    let second = held.take([.record(.entered(job: 1), date: 0), heartbeat, .note("b"), .disconnect])
    #expect(second.atOnce == [heartbeat])
    #expect(held.next() == nil)
    held.durable = 9
    #expect(held.next() == .note("b"))
    #expect(held.next() == .disconnect)
    #expect(held.next() == nil)
  }

  @Test func withoutAJournalNothingWaits() {
    var held = HeldEffects(hasJournal: false, sequence: 0)
    #expect(held.take([.record(.entered(job: 1), date: 0), .note("a")]).records.isEmpty)
    #expect(held.next() == .note("a"))
  }
}
