import Files
import Testing

@testable import Journaling

@Suite struct JournalTests {
  private static let name = "journal-00000001.log"

  private static func record(_ number: Int) -> JournalRecord {
    let payload = (0..<number * 7 % 50).map { UInt8(truncatingIfNeeded: $0 + number) }
    return JournalRecord(type: UInt16(number), date: UInt64(number * 1000), payload: payload)
  }

  /// A journal of records that were each forced to the disk, but for the last ones.
  private static func journal(_ count: Int, together: Int = 1, segmentBytes: Int = 8192) throws -> MemoryStorage {
    let storage = MemoryStorage()
    var (journal, _) = try Journal.open(storage, segmentBytes: segmentBytes)
    for number in 1...count - together {
      try journal.write([record(number)])
      try journal.synchronise()
    }
    try journal.write((count - together + 1...count).map(record))
    return storage
  }

  private static func reopened(_ storage: MemoryStorage) throws -> Journal.Contents {
    try Journal.open(storage, segmentBytes: 8192).contents
  }

  @Test func theChecksumIsThatOfTheStandard() {
    // RFC 3720, B.4.
    #expect(CRC32C.of([UInt8](repeating: 0, count: 32)) == 0x8A91_36AA)
    #expect(CRC32C.of([UInt8](repeating: 0xFF, count: 32)) == 0x62A8_AB43)
    #expect(CRC32C.of(Array(0..<32 as Range<UInt8>)) == 0x46DD_794E)
    #expect(CRC32C.of(Array("123456789".utf8)) == 0xE306_9283)
  }

  @Test func whatWasWrittenIsReadAgain() throws {
    let storage = try Self.journal(20)
    let contents = try Self.reopened(storage)
    #expect(contents == .init(snapshot: [], records: (1...20).map(Self.record)))
    var (journal, _) = try Journal.open(storage, segmentBytes: 8192)
    #expect(journal.written == 20)
    try journal.write([Self.record(21)])
    try journal.synchronise()
    #expect(try Self.reopened(storage).records == (1...21).map(Self.record))
  }

  @Test func aSegmentBeginsWithASnapshotAndTakesThePlaceOfTheOneBefore() throws {
    let storage = try Self.journal(9)
    var (journal, _) = try Journal.open(storage, segmentBytes: 8192)
    let snapshot = [Self.record(40), Self.record(41)]
    try journal.begin(snapshot)
    try journal.write([Self.record(10)])
    try journal.synchronise()
    #expect(storage.names() == ["journal-00000002.log"])
    #expect(try Self.reopened(storage) == .init(snapshot: snapshot, records: [Self.record(10)]))
    #expect(try Journal.open(storage, segmentBytes: 8192).journal.written == 10)
  }

  @Test func aCrashWhileASegmentBeginsLosesNothing() throws {
    let storage = try Self.journal(9)
    var (journal, _) = try Journal.open(storage, segmentBytes: 8192)
    let before = storage.files
    try journal.begin([Self.record(40)])
    // Before it has its name.
    let new = storage.files["journal-00000002.log"] ?? []
    storage.files = before.merging(["journal-00000002.log.new": Array(new.prefix(70))]) { $1 }
    #expect(try Self.reopened(storage).records == (1...9).map(Self.record))
    #expect(storage.names() == [Self.name])
    // Before the one that it follows is removed.
    storage.files = before.merging(["journal-00000002.log": new]) { $1 }
    #expect(try Self.reopened(storage) == .init(snapshot: [Self.record(40)], records: []))
    #expect(storage.names() == ["journal-00000002.log"])
  }

  // MARK: - Damage

  /// All that a damaged journal may come to: some of the first records, all of them, or a refusal.
  private static func isHonest(_ storage: MemoryStorage, atLeast: Int, of count: Int) -> Bool {
    do {
      let records = try reopened(storage).records
      return records.count >= atLeast && records == (1...count).prefix(records.count).map(record)
    } catch {
      return false
    }
  }

  @Test func aJournalThatIsCutAnywhereInItsLastRecordsHasThoseBefore() throws {
    let count = 12
    let whole = try Self.journal(count, together: 3)
    let bytes = whole.files[Self.name] ?? []
    let end = bytes.lastIndex { $0 != 0 } ?? 0
    var start = SegmentHeader.byteCount
    for number in 1...count - 3 { start += RecordFrame(sequence: 0, floor: 0, Self.record(number)).byteCount }
    for cut in start...end {
      let storage = MemoryStorage()
      // What was not written is zeros, for which room had been made; and the file may be shorter.
      storage.files[Self.name] = Array(bytes[..<cut]) + [UInt8](repeating: 0, count: cut % 2 * (bytes.count - cut))
      #expect(Self.isHonest(storage, atLeast: count - 3, of: count), "cut at \(cut)")
      let torn = storage.names().filter { $0.hasSuffix(".bad") }
      // A second reading finds nothing that is torn.
      #expect(try Self.reopened(storage).torn == nil)
      #expect(torn.count <= 1)
    }
  }

  @Test func aFlippedBitInTheLastWriteCostsNothingThatWasKnownToBeThere() throws {
    let count = 12
    let whole = try Self.journal(count, together: 3)
    let bytes = whole.files[Self.name] ?? []
    let end = bytes.lastIndex { $0 != 0 } ?? 0
    var start = SegmentHeader.byteCount
    for number in 1...count - 3 { start += RecordFrame(sequence: 0, floor: 0, Self.record(number)).byteCount }
    for bit in start * 8..<(end + 1) * 8 {
      let storage = MemoryStorage()
      var damaged = bytes
      damaged[bit / 8] ^= 1 << UInt8(bit % 8)
      storage.files[Self.name] = damaged
      #expect(Self.isHonest(storage, atLeast: count - 3, of: count), "bit \(bit)")
    }
  }

  @Test func aFlippedBitBeforeThatIsNamedWithItsPlace() throws {
    let count = 60
    let whole = try Self.journal(count)
    let bytes = whole.files[Self.name] ?? []
    var ends = [SegmentHeader.byteCount]
    for number in 1...count {
      ends.append(ends[number - 1] + RecordFrame(sequence: 0, floor: 0, Self.record(number)).byteCount)
    }
    var numbers = Numbers(seed: 1)
    for _ in 0..<1000 {
      let byte = numbers.next(below: ends[count - 1])
      let storage = MemoryStorage()
      var damaged = bytes
      damaged[byte] ^= 1 << UInt8(numbers.next(below: 8))
      storage.files[Self.name] = damaged
      do {
        // A zero behind a payload, or in what is kept for later, means nothing.
        #expect(try Self.reopened(storage).records == (1...count).map(Self.record), "byte \(byte)")
      } catch JournalError.damaged(let path, let offset, let later) {
        #expect(path == "/memory/\(Self.name)")
        let record = ends.lastIndex { $0 <= byte } ?? -1
        #expect(offset == (record < 0 ? 0 : ends[record]))
        #expect(later == (record < 0 ? [] : (record + 2...count).map(Self.record)))
      } catch JournalError.newerFormat {
        Issue.record("a damaged version is believed")
      }
      // It is left as it was.
      #expect(storage.files == [Self.name: damaged] || (try? Self.reopened(storage)) != nil)
    }
  }

  /// Sectors of one write may get to the disk in any order.
  @Test func aWriteOfWhichOnlyTheEndArrivedIsNoDamage() throws {
    let whole = try Self.journal(12, together: 4)
    var bytes = whole.files[Self.name] ?? []
    var start = SegmentHeader.byteCount
    for number in 1...8 { start += RecordFrame(sequence: 0, floor: 0, Self.record(number)).byteCount }
    for place in start..<start + 40 { bytes[place] = 0 }
    let storage = MemoryStorage()
    storage.files[Self.name] = bytes
    #expect(try Self.reopened(storage).records == (1...8).map(Self.record))
    #expect(storage.names() == ["journal-00000001-1.bad", Self.name])
    // Behind it nothing is left over that could be taken for something later.
    var (journal, _) = try Journal.open(storage, segmentBytes: 8192)
    try journal.write([Self.record(9)])
    try journal.synchronise()
    #expect(try Self.reopened(storage).records == (1...9).map(Self.record))
  }

  @Test(arguments: [UInt64.max, 1 << 62]) func numbersAtWhichCountingEndsAreDamage(_ number: UInt64) throws {
    for (number, base) in [(number, 0), (1, number)] as [(UInt64, UInt64)] {
      try refuse(SegmentHeader(number: number, base: base, snapshotCount: 0))
    }
  }

  @Test func aSegmentUnderAnotherNumberIsDamage() throws {
    try refuse(SegmentHeader(number: 2, base: 0, snapshotCount: 0))
  }

  private func refuse(_ header: SegmentHeader, sourceLocation: SourceLocation = #_sourceLocation) throws {
    let storage = MemoryStorage()
    storage.files[Self.name] = header.bytes + [UInt8](repeating: 0, count: 4096)
    let damage = JournalError.damaged(path: "/memory/\(Self.name)", offset: 0, later: [])
    #expect(throws: damage, sourceLocation: sourceLocation) { try Self.reopened(storage) }
  }

  @Test func aNewerFormatIsRefused() throws {
    let storage = try Self.journal(3)
    var bytes = storage.files[Self.name] ?? []
    bytes[8] = SegmentHeader.version + 1
    var checked = Array(bytes.prefix(40))
    checked.append(littleEndian: CRC32C.of(checked))
    bytes.replaceSubrange(0..<44, with: checked)
    storage.files[Self.name] = bytes
    let error = #expect(throws: JournalError.self) { try Self.reopened(storage) }
    #expect(
      error?.description == "/memory/\(Self.name) has the format 2, which is newer than this program (it reads 1)")
  }

  // MARK: - Disks

  @Test func nothingIsWrittenAfterAFailureToForceItToTheDisk() throws {
    let storage = MemoryStorage()
    var (journal, _) = try Journal.open(storage, segmentBytes: 8192)
    try journal.write([Self.record(1)])
    storage.failsToSynchronise = true
    #expect(throws: JournalError.self) { try journal.synchronise() }
    storage.failsToSynchronise = false
    #expect(throws: JournalError.self) { try journal.synchronise() }
    #expect(throws: JournalError.self) { try journal.write([Self.record(2)]) }
    #expect(journal.durable == 0)
  }

  @Test func aFullDiskHasRoomForWhatTheSegmentWasMadeFor() throws {
    let storage = MemoryStorage()
    var (journal, _) = try Journal.open(storage, segmentBytes: 8192)
    storage.isFull = true
    for number in 1...60 {
      try journal.write([Self.record(number)])
      try journal.synchronise()
    }
    #expect(journal.isCompactionDue)
    let error = #expect(throws: JournalError.self) { try journal.begin([Self.record(1)]) }
    guard case .file(let failure)? = error else { return }
    #expect(failure.failure == .diskFull)
    // Nothing has changed, and it goes on.
    try journal.write([Self.record(61)])
    storage.isFull = false
    try journal.synchronise()
    try journal.begin([Self.record(1)])
    #expect(storage.names() == ["journal-00000002.log"])
  }

  @Test func aSnapshotThatIsLargeDoesNotMakeTheNextOneDue() throws {
    let storage = MemoryStorage()
    var (journal, _) = try Journal.open(storage, segmentBytes: 8192)
    try journal.begin((1...400).map(Self.record))
    #expect(!journal.isCompactionDue)
    #expect(try !Journal.open(storage, segmentBytes: 8192).journal.isCompactionDue)
  }
}
