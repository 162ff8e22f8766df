import Files
import Journaling

@testable import RenderCluster

/// What `JournalWriter` is, without a thread: records that come while the disk is busy go to it together.
final class SimulatedJournal {
  private enum Work {
    case records([JournalRecord])
    case snapshot([JournalRecord])
  }

  private(set) var journal: Journal
  private var work: [Work] = []
  private(set) var isWriting = false
  /// There was no room for a snapshot.
  var isSnapshotDue = false

  static let segmentBytes = 4096

  init(_ journal: Journal) { self.journal = journal }

  func append(_ records: [JournalRecord]) { if !records.isEmpty { work.append(.records(records)) } }

  func compact(_ snapshot: [JournalRecord]) { work.append(.snapshot(snapshot)) }

  var isIdle: Bool { work.isEmpty && !isWriting }

  /// - Returns: whether something was written that is to be forced to the disk.
  func write() throws(JournalError) -> Bool {
    guard !isWriting, !work.isEmpty else { return false }
    let pieces = work
    work = []
    for piece in pieces {
      switch piece {
      case .records(let records): try journal.write(records)
      case .snapshot(let snapshot):
        try journal.synchronise()
        do {
          try journal.begin(snapshot)
        } catch JournalError.file(let error) where error.failure == .diskFull {
          isSnapshotDue = true
        }
      }
    }
    isWriting = true
    return true
  }

  func synchronise() throws(JournalError) {
    isWriting = false
    try journal.synchronise()
  }
}
