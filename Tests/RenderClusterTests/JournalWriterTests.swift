import Files
import Journaling
import Messaging
import Synchronization
import Testing

@testable import RenderCluster

/// What goes to the disk, and what waits for it.
@Suite(.timeLimit(.minutes(1))) struct JournalWriterTests {
  private static func record(_ job: UInt64) -> JournalRecord { LedgerEntry.entered(job: job).record(date: 0) }

  private static func events(
    _ switches: DiskSwitches = DiskSwitches(), _ body: (JournalWriter) -> Void
  ) throws -> [JournalWriter.Event] {
    let events = ListBox<JournalWriter.Event>()
    let journal = try Journal.open(SwitchedDisk(switches), segmentBytes: 1 << 16).journal
    let writer = JournalWriter(journal) { events.add($0) }
    body(writer)
    writer.finish()
    return events.values
  }

  private static func durable(_ events: [JournalWriter.Event]) -> [UInt64] {
    events.compactMap { if case .durable(let sequence, _) = $0 { sequence } else { nil } }
  }

  @Test func recordsOfOneTimeGoToTheDiskTogether() throws {
    let events = try Self.events { writer in
      for job in 1...500 as ClosedRange<UInt64> { writer.append([Self.record(job)]) }
    }
    let sequences = Self.durable(events)
    #expect(sequences.last == 500)
    #expect(sequences == sequences.sorted() && sequences.count < 500)
  }

  @Test func nothingIsOnTheDiskThatCouldNotBeForcedToIt() throws {
    let switches = DiskSwitches()
    let events = try Self.events(switches) { writer in
      switches.fails.withLock { $0 = true }
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
    let switches = DiskSwitches()
    let events = try Self.events(switches) { writer in
      writer.append([Self.record(1)])
      writer.finish()
      switches.isFull.withLock { $0 = true }
      writer.compact([Self.record(1)])
      writer.append([Self.record(2)])
      writer.finish()
      switches.isFull.withLock { $0 = false }
      writer.compact([Self.record(1), Self.record(2)])
    }
    #expect(events.count { if case .noRoom = $0 { true } else { false } } == 1)
    #expect(Self.durable(events).last == 2)
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
    let second = held.take([.record(.entered(job: 1), date: 0), heartbeat, .note("b"), .disconnect(attempt: 1)])
    #expect(second.atOnce == [heartbeat])
    #expect(held.next() == nil)
    held.durable = 9
    #expect(held.next() == .note("b"))
    #expect(held.next() == .disconnect(attempt: 1))
    #expect(held.next() == nil)
  }

  @Test func withoutAJournalNothingWaits() {
    var held = HeldEffects(hasJournal: false, sequence: 0)
    #expect(held.take([.record(.entered(job: 1), date: 0), .note("a")]).records.isEmpty)
    #expect(held.next() == .note("a"))
  }
}

/// What a disk is like, for whoever is on another thread.
private final class DiskSwitches: Sendable {
  let isFull = Mutex(false)
  let fails = Mutex(false)
}

private final class SwitchedDisk: JournalStorage {
  private let disk = SimulatedDisk()
  private let switches: DiskSwitches

  init(_ switches: DiskSwitches) { self.switches = switches }

  var path: String { disk.path }
  func names() -> [String] { disk.names() }
  func read(_ name: String) throws(FileFailure) -> [UInt8] { try disk.read(name) }

  func create(_ name: String, byteCount: Int) throws(FileFailure) {
    disk.isFull = switches.isFull.withLock { $0 }
    try disk.create(name, byteCount: byteCount)
  }

  func write(_ bytes: [UInt8], to name: String, at offset: Int) throws(FileFailure) {
    try disk.write(bytes, to: name, at: offset)
  }

  func synchronise(_ name: String) throws(FileFailure) {
    disk.failsAlways = switches.fails.withLock { $0 }
    try disk.synchronise(name)
  }

  func rename(_ name: String, to newName: String) throws(FileFailure) { try disk.rename(name, to: newName) }
  func remove(_ name: String) { disk.remove(name) }
}
