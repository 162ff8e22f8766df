import Files
import Journaling

/// What a coordinator's process does so that nothing is forgotten: writes down what its core says, holds back what follows
/// from it, begins segments of the journal, and looks after the disk. Without a journal everything is done at once.
struct CoordinatorMemory {
  private let settings: CoordinatorConfiguration.JournalSettings?
  private let writer: JournalWriter?
  private var held: HeldEffects
  private(set) var usage = Journal.Usage()
  /// A snapshot is on its way to the disk.
  private var isCompacting = false
  /// There was no room for one.
  private var isSnapshotDue = false
  private var isDiskLow = false
  /// When the disk was last looked at, in microseconds.
  private var lastLook: Int64 = 0

  private static let lookMicroseconds: Int64 = 1_000_000

  /// - Parameters:
  ///   - configuration: its epoch becomes the next one.
  ///   - tell: is called on another thread.
  /// - Returns: the memory, and what it tells of the time before.
  /// - Throws: ``JournalError`` and ``JournalDamage``.
  static func open(
    _ configuration: inout CoordinatorConfiguration, tell: @escaping @Sendable (JournalWriter.Event) -> Void
  ) throws -> (memory: CoordinatorMemory, ledger: Ledger) {
    guard let settings = configuration.journal else {
      return (CoordinatorMemory(nil, nil, sequence: 0), Ledger())
    }
    let (journal, ledger) = try Ledger.read(settings.storage(), segmentBytes: settings.segmentBytes, configuration.note)
    configuration.epoch = max(ledger.epoch + 1, configuration.epoch)
    let sequence = journal.written
    let failed = settings.failed
    let writer = JournalWriter(journal) { event in
      // At once, on the thread that writes: nothing else may be done before the process ends.
      if case .failed(let error) = event { failed(error) }
      tell(event)
    }
    return (CoordinatorMemory(settings, writer, sequence: sequence), ledger)
  }

  private init(_ settings: CoordinatorConfiguration.JournalSettings?, _ writer: JournalWriter?, sequence: UInt64) {
    self.settings = settings
    self.writer = writer
    held = HeldEffects(hasJournal: writer != nil, sequence: sequence)
  }

  /// Has written down what is to be, and holds back the rest.
  ///
  /// - Returns: what is to be done whatever waits.
  mutating func take(_ effects: [CoordinatorEffect]) -> [CoordinatorEffect] {
    let (records, atOnce) = held.take(effects)
    writer?.append(records)
    return atOnce
  }

  /// The next effect that waits for nothing any more.
  mutating func next() -> CoordinatorEffect? { held.next() }

  /// - Parameter ledger: as all that was taken has made it.
  /// - Returns: something that people should know.
  mutating func take(_ event: JournalWriter.Event, _ ledger: Ledger) -> String? {
    switch event {
    case .durable(let sequence, let usage):
      (held.durable, self.usage) = (sequence, usage)
      if usage.bytes <= usage.capacity / 2 { isCompacting = false }
    case .compactionDue:
      guard !isSnapshotDue, !isCompacting else { break }
      isCompacting = true
      writer?.compact(ledger.snapshot)
    case .noRoom:
      (isSnapshotDue, isCompacting) = (true, false)
      return "The disk has no room for another segment of the journal."
    // What waits for it never comes.
    case .failed: break
    }
    return nil
  }

  /// Whether the disk is so full that nothing may be accepted, or the journal has no room to grow; nil if it is not time to
  /// look.
  mutating func isDiskFull(now: Int64, _ ledger: Ledger) -> Bool? {
    guard let settings, now - lastLook > Self.lookMicroseconds else { return nil }
    lastLook = now
    let wasLow = isDiskLow
    isDiskLow = settings.folders.contains { settings.space($0)?.isLow(wasLow: wasLow) ?? false }
    if !isDiskLow, isSnapshotDue {
      (isSnapshotDue, isCompacting) = (false, true)
      writer?.compact(ledger.snapshot)
    }
    return isDiskLow || isSnapshotDue
  }

  /// Waits until what was taken is on the disk, which is another coordinator's from then on.
  func close() { writer?.close() }
}
