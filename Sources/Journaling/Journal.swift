import Files

/// Records on a disk, in the order in which things happened.
///
/// A segment is one file, for which the disk has made room, so that a full disk does not keep endings from being written.
/// It begins with a snapshot, records that tell all that those before came to, and has its name only when the snapshot is
/// on the disk; the segment before is removed then. So one file holds everything.
///
/// What is written counts when ``synchronise()`` has returned. A failure of it is final: the journal takes nothing more,
/// and its owner has to stop and to read it again.
public struct Journal {
  /// What a journal had to tell when it was opened.
  public struct Contents: Sendable, Equatable {
    public var snapshot: [JournalRecord]
    /// What happened since.
    public var records: [JournalRecord]
    /// The file that the torn end of the last write was put into, if there was one.
    public var torn: String?
  }

  /// How it is used, for people.
  public struct Usage: Sendable, Hashable {
    public var records: UInt64 = 0
    public var synchronisations: UInt64 = 0
    /// Of the segment: what is written, and what there is room for.
    public var bytes = 0
    public var capacity = 0

    public init() {}
  }

  public static let segmentBytes = 16 << 20
  /// More are not read.
  static let maximumSegmentBytes = 1 << 32

  private let storage: any JournalStorage
  private let segmentBytes: Int
  /// What the segment has room for.
  private var capacity: Int
  private var header: SegmentHeader
  /// Where the next record goes.
  private var end: Int
  /// Of the last record that was written, and of the last that is on the disk.
  public private(set) var written: UInt64
  public private(set) var durable: UInt64
  private var synchronisations: UInt64 = 0
  private var recordCount: UInt64 = 0
  /// Whether something has failed that cannot be undone.
  private var isBroken = false

  private static let prefix = "journal-"
  private static let suffix = ".log"

  static func name(_ number: UInt64) -> String {
    let text = String(number)
    return prefix + String(repeating: "0", count: max(0, 8 - text.count)) + text + suffix
  }

  static func number(_ name: String) -> UInt64? {
    guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { return nil }
    return UInt64(name.dropFirst(prefix.count).dropLast(suffix.count))
  }

  private var name: String { Self.name(header.number) }

  // MARK: - Opening

  /// Reads what there is, sets a torn end aside, and makes the first segment where there is none.
  ///
  /// - Parameter segmentBytes: what a segment has room for before it has to grow.
  /// - Throws: ``JournalError``.
  public static func open(
    _ storage: any JournalStorage, segmentBytes: Int = segmentBytes
  ) throws(JournalError) -> (journal: Journal, contents: Contents) {
    let names = try checked(storage, "") { () throws(FileFailure) in try storage.names() }
    // What was cut off before it had its name, and what was not removed in time.
    let numbers = names.compactMap(number).sorted()
    let rest = names.filter { $0.hasPrefix(prefix) && $0.hasSuffix(".new") } + numbers.dropLast().map(name)
    guard let newest = numbers.last else {
      try remove(rest, storage)
      return (try Journal(firstIn: storage, segmentBytes), Contents(snapshot: [], records: []))
    }
    let bytes = try checked(storage, name(newest)) { () throws(FileFailure) in try storage.read(name(newest)) }
    let segment = try read(bytes, "\(storage.path)/\(name(newest))", number: newest)
    try remove(rest, storage)
    var contents = Contents(snapshot: segment.snapshot, records: segment.records)
    if let torn = segment.torn { contents.torn = try setAside(torn, of: bytes, name(newest), names, storage) }
    return (Journal(storage, segment, segmentBytes, capacity: bytes.count), contents)
  }

  private init(_ storage: any JournalStorage, _ segment: Segment, _ segmentBytes: Int, capacity: Int) {
    self.storage = storage
    self.segmentBytes = segmentBytes
    self.capacity = capacity
    header = segment.header
    end = segment.end
    (written, durable) = (segment.lastSequence, segment.lastSequence)
  }

  private init(firstIn storage: any JournalStorage, _ segmentBytes: Int) throws(JournalError) {
    self.storage = storage
    self.segmentBytes = segmentBytes
    capacity = segmentBytes
    header = SegmentHeader(number: 0, base: 0, snapshotCount: 0)
    (end, written, durable) = (0, 0, 0)
    try begin([])
  }

  static func read(_ bytes: [UInt8], _ path: String, number: UInt64) throws(JournalError) -> Segment {
    let segment: Segment
    do throws(Segment.Problem) {
      segment = try Segment(bytes)
    } catch {
      switch error {
      case .header(.damaged): throw .damaged(path: path, offset: 0, later: [])
      case .header(.version(let version)): throw .newerFormat(path: path, version: version)
      case .damaged(let offset, let later): throw .damaged(path: path, offset: offset, later: later)
      }
    }
    // By its own number it would be written on under another name.
    guard segment.header.number == number else {
      throw .damaged(path: path, offset: 0, later: segment.snapshot + segment.records)
    }
    return segment
  }

  private static func remove(_ names: [String], _ storage: any JournalStorage) throws(JournalError) {
    for name in names { try checked(storage, name, .writing) { () throws(FileFailure) in try storage.remove(name) } }
  }

  /// Keeps what was torn in a file of its own, and has zeros in its place.
  private static func setAside(
    _ torn: Range<Int>, of bytes: [UInt8], _ name: String, _ names: [String], _ storage: any JournalStorage
  ) throws(JournalError) -> String {
    let stem = name.dropLast(suffix.count)
    let free = (1...10_000).lazy.map { "\(stem)-\($0).bad" }.first { !names.contains($0) } ?? "\(stem).bad"
    try checked(storage, free, .writing) { () throws(FileFailure) in
      try storage.create(free, byteCount: torn.count)
      try storage.write(Array(bytes[torn]), to: free, at: 0)
      try storage.synchronise(free)
    }
    try checked(storage, name, .writing) { () throws(FileFailure) in
      try storage.write([UInt8](repeating: 0, count: torn.count), to: name, at: torn.lowerBound)
      try storage.synchronise(name)
    }
    return free
  }

  // MARK: - Writing

  /// Writes records; they count when ``synchronise()`` has returned.
  public mutating func write(_ records: [JournalRecord]) throws(JournalError) {
    guard !records.isEmpty else { return }
    var bytes: [UInt8] = []
    for (index, record) in records.enumerated() {
      precondition(record.payload.count <= JournalRecord.maximumBytes, "a record of the journal is too large")
      bytes += RecordFrame(sequence: written + 1 + UInt64(index), floor: durable, record).bytes
    }
    FaultPoint.reach("journal.write.before")
    let (name, end) = (name, end)
    try unlessBroken(name) { storage throws(FileFailure) in try storage.write(bytes, to: name, at: end) }
    FaultPoint.reach("journal.write.after")
    self.end += bytes.count
    written += UInt64(records.count)
    recordCount += UInt64(records.count)
  }

  /// Forces all that was written to the disk.
  public mutating func synchronise() throws(JournalError) {
    guard durable < written else { return }
    FaultPoint.reach("journal.sync.before")
    let name = name
    try unlessBroken(name) { storage throws(FileFailure) in try storage.synchronise(name) }
    FaultPoint.reach("journal.sync.after")
    durable = written
    synchronisations += 1
  }

  /// Whether more than half of the segment is used, so that another one should begin.
  public var isCompactionDue: Bool { end > capacity / 2 }

  /// Begins a segment with a snapshot of all that was written, which must be on the disk.
  ///
  /// - Throws: ``JournalError``. When there is no room on the disk nothing has changed, and it may be tried again later.
  public mutating func begin(_ snapshot: [JournalRecord]) throws(JournalError) {
    precondition(durable == written, "a snapshot tells of records that are not on the disk")
    let old = header.number
    let next = SegmentHeader(number: old + 1, base: written, snapshotCount: UInt64(snapshot.count))
    var bytes = next.bytes
    for record in snapshot { bytes += RecordFrame(sequence: written, floor: written, record).bytes }
    let (name, temporary) = (Self.name(next.number), Self.name(next.number) + ".new")
    // Far more than the snapshot, or the next one would be due at once.
    let room = max(segmentBytes, 4 * bytes.count)
    do throws(FileFailure) {
      try storage.create(temporary, byteCount: room)
      try storage.write(bytes, to: temporary, at: 0)
    } catch {
      try? storage.remove(temporary)
      throw .file(FileError(path: "\(storage.path)/\(temporary)", .writing, error))
    }
    FaultPoint.reach("journal.snapshot.written")
    try unlessBroken(temporary) { storage throws(FileFailure) in
      try storage.synchronise(temporary)
      FaultPoint.reach("journal.snapshot.synced")
      try storage.rename(temporary, to: name)
      FaultPoint.reach("journal.snapshot.renamed")
    }
    (header, end, capacity) = (next, bytes.count, room)
    if old > 0 { try? storage.remove(Self.name(old)) }
  }

  public var usage: Usage {
    var usage = Usage()
    usage.records = recordCount
    usage.synchronisations = synchronisations
    (usage.bytes, usage.capacity) = (end, capacity)
    return usage
  }

  /// - Parameter name: of the file that it is about.
  private mutating func unlessBroken(
    _ name: String, _ body: (any JournalStorage) throws(FileFailure) -> Void
  ) throws(JournalError) {
    let path = "\(storage.path)/\(name)"
    guard !isBroken else {
      throw .file(FileError(path: path, .writing, .content("cannot be written since a failure before")))
    }
    do throws(FileFailure) {
      try body(storage)
    } catch {
      isBroken = true
      throw .file(FileError(path: path, .writing, error))
    }
  }

  private static func checked<Value>(
    _ storage: any JournalStorage, _ name: String, _ action: FileError.Action = .reading,
    _ body: () throws(FileFailure) -> Value
  ) throws(JournalError) -> Value {
    do throws(FileFailure) {
      return try body()
    } catch {
      throw .file(FileError(path: name.isEmpty ? storage.path : "\(storage.path)/\(name)", action, error))
    }
  }
}
