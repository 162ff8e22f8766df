import Journaling

/// What the journal of a coordinator says, read without touching it.
public struct JournalReport: Sendable, Equatable {
  /// Of the file.
  public var path: String
  public var snapshotRecords: Int
  /// Those behind the snapshot.
  public var records: Int
  /// The jobs by how far they are. None runs: that is not written down.
  public var jobs: [JobState: Int]
  /// The bytes of a last write that was cut off, if there are any.
  public var torn: Range<Int>?

  /// - Throws: `JournalError`; ``JournalDamage`` for one that was damaged, or whose records make no sense.
  public init(folder: String) throws {
    let journal: Journal.Inspection
    do throws(JournalError) {
      journal = try Journal.inspect(folder: folder)
    } catch {
      guard case .damaged(let path, let offset, let later) = error else { throw error }
      throw JournalDamage(path: path, offset: offset, later: later)
    }
    let ledger = try Ledger(replaying: journal.snapshot + journal.records, of: folder)
    (path, torn) = (journal.path, journal.torn)
    (snapshotRecords, records) = (journal.snapshot.count, journal.records.count)
    jobs = Dictionary(ledger.jobs.map { (Self.state(of: $0), 1) }, uniquingKeysWith: +)
  }

  private static func state(of job: LedgerJob) -> JobState {
    switch job.ending?.ending.outcome {
    case .done: .done
    case .failed: .failed
    case .cancelled: .cancelled
    case nil: job.isPaused ? .paused : .waiting
    }
  }
}
