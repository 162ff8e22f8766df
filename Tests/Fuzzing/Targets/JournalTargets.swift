import Files

@testable import Journaling
@testable import RenderCluster

/// What a coordinator finds on its disk when it begins.
enum JournalTargets {
  /// A byte that says whether check sums are put right, then a segment.
  static func journal(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let flags = input.byte()
    var segment = input.rest()
    if flags & 1 == 0 { repair(&segment) }
    let storage = SegmentStorage(segment)
    guard let (journal, contents) = try? Journal.open(storage, segmentBytes: 1 << 12) else { return }
    // What was torn is set aside, so that it is not there the next time; all else is.
    var expected = contents
    expected.torn = nil
    guard let again = try? Journal.open(storage, segmentBytes: 1 << 12) else { fatalError("A journal opens only once") }
    demand(again.contents == expected, "A journal changes when it is opened")
    var continued = again.journal
    guard (try? continued.write([JournalRecord(type: 7, date: 1, payload: [1])])) != nil,
      (try? continued.synchronise()) != nil
    else { fatalError("A journal that opens cannot be written") }
    demand(continued.durable == journal.durable + 1, "A record has another number")
    guard let longer = try? Journal.open(storage, segmentBytes: 1 << 12) else {
      fatalError("A journal that was written does not open")
    }
    demand(longer.contents.records.count == contents.records.count + 1, "A record is lost")
    guard let ledger = try? Ledger(replaying: contents.snapshot + contents.records) else { return }
    demand((try? Ledger(replaying: ledger.snapshot)) == ledger, "A ledger changes in its snapshot")
  }

  /// Records: a byte for the kind, the payload, a zero.
  static func ledger(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    var records: [JournalRecord] = []
    while !input.isEmpty {
      // Text, so that inputs can be read: "a" is the kind 1.
      let kind = UInt16(input.byte() & 31)
      records.append(JournalRecord(type: kind, date: UInt64(records.count), payload: input.part(upTo: 0)))
    }
    guard let ledger = try? Ledger(replaying: records) else { return }
    demand((try? Ledger(replaying: ledger.snapshot)) == ledger, "A ledger changes in its snapshot")
    demand(
      ledger.open == ledger.jobs.filter { $0.ending == nil }.map(\.id), "Open jobs are not those without an ending")
    for job in ledger.jobs { demand(job.blamed.count <= LedgerJob.rememberedTroubles, "Too many are blamed") }
  }

  private static func repair(_ bytes: inout [UInt8]) {
    guard bytes.count >= SegmentHeader.byteCount else { return }
    set(CRC32C.of(bytes.prefix(40)), at: 40, in: &bytes)
    var place = SegmentHeader.byteCount
    while place + RecordFrame.headerBytes <= bytes.count {
      let length = Int(bytes.littleEndian(at: place + 8) as UInt32)
      guard bytes[place..<place + 4].elementsEqual(Array("CLJR".utf8)),
        place + RecordFrame.headerBytes + length <= bytes.count
      else {
        place += RecordFrame.alignment
        continue
      }
      let end = place + RecordFrame.headerBytes + length
      set(CRC32C.of(bytes[place + 8..<end]), at: place + 4, in: &bytes)
      place = (end + RecordFrame.alignment - 1) / RecordFrame.alignment * RecordFrame.alignment
    }
  }

  private static func set(_ value: UInt32, at place: Int, in bytes: inout [UInt8]) {
    for index in 0..<4 { bytes[place + index] = UInt8(truncatingIfNeeded: value >> (8 * UInt32(index))) }
  }
}

/// A folder with one segment, in memory.
private final class SegmentStorage: JournalStorage {
  let path = "/memory"
  private var files: [String: [UInt8]]

  init(_ segment: [UInt8]) { files = ["journal-00000001.log": segment] }

  func names() -> [String] { files.keys.sorted() }

  func read(_ name: String) throws(FileFailure) -> [UInt8] {
    guard let bytes = files[name] else { throw .noSuchFile }
    return bytes
  }

  func create(_ name: String, byteCount: Int) { files[name] = [UInt8](repeating: 0, count: byteCount) }

  func write(_ bytes: [UInt8], to name: String, at offset: Int) throws(FileFailure) {
    guard var file = files[name] else { throw .noSuchFile }
    file += repeatElement(0, count: max(0, offset + bytes.count - file.count))
    file.replaceSubrange(offset..<offset + bytes.count, with: bytes)
    files[name] = file
  }

  func synchronise(_ name: String) {}
  func rename(_ name: String, to newName: String) { files[newName] = files.removeValue(forKey: name) }
  func remove(_ name: String) { files[name] = nil }
}
