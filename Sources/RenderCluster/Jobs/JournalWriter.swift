import Dispatch
import Journaling
import Synchronization

/// Writes records on a thread of its own: those that come while the disk is busy go to it together.
final class JournalWriter: Sendable {
  enum Event: Sendable {
    /// All records up to a sequence are on the disk.
    case durable(UInt64, Journal.Usage)
    /// The journal has grown and wants a snapshot of all that was appended.
    case compactionDue
    /// There is no room for a snapshot.
    case noRoom
    /// Nothing is written any more.
    case failed(JournalError)
  }

  private enum Work: Sendable {
    case records([JournalRecord])
    case snapshot([JournalRecord])
  }

  private struct State {
    var work: [Work] = []
    var isWorking = false
    /// Because the disk failed or all is done.
    var isClosed = false
  }

  /// None after the end.
  private let journal: Mutex<Journal?>
  private let state = Mutex(State())
  private let queue = DispatchQueue(label: "clusca.journal")
  private let tell: @Sendable (Event) -> Void

  /// - Parameter tell: is called on the thread that writes.
  init(_ journal: sending Journal, tell: @escaping @Sendable (Event) -> Void) {
    self.journal = Mutex(journal)
    self.tell = tell
  }

  func append(_ records: [JournalRecord]) { if !records.isEmpty { add(.records(records)) } }

  /// Begins another segment, with a snapshot that tells of all records appended before.
  func compact(_ snapshot: [JournalRecord]) { add(.snapshot(snapshot)) }

  /// Waits until what was appended is on the disk.
  func finish() { queue.sync {} }

  /// Waits as ``finish()`` does and lets the folder go, whoever holds the writer still. What is appended later is not
  /// written.
  func close() {
    state.withLock { $0.isClosed = true }
    queue.sync { journal.withLock { $0 = nil } }
  }

  private func add(_ work: Work) {
    let isFirst = state.withLock { state in
      guard !state.isClosed else { return false }
      state.work.append(work)
      defer { state.isWorking = true }
      return !state.isWorking
    }
    if isFirst { queue.async { self.drain() } }
  }

  private func drain() {
    while true {
      let work = state.withLock { state in
        let work = state.work
        state.work = []
        if work.isEmpty { state.isWorking = false }
        return work
      }
      guard !work.isEmpty else { return }
      do throws(JournalError) {
        try journal.withLock { journal throws(JournalError) in
          guard journal != nil else { return }
          try write(work, to: &journal!)
        }
      } catch {
        state.withLock { state in
          state.isClosed = true
          state.work = []
        }
        return tell(.failed(error))
      }
    }
  }

  private func write(_ work: [Work], to journal: inout Journal) throws(JournalError) {
    for piece in work {
      switch piece {
      case .records(let records): try journal.write(records)
      case .snapshot(let snapshot):
        try journal.synchronise()
        do {
          try journal.begin(snapshot)
        } catch JournalError.file(let error) where error.failure == .diskFull {
          tell(.noRoom)
        }
      }
    }
    try journal.synchronise()
    tell(.durable(journal.durable, journal.usage))
    if journal.isCompactionDue { tell(.compactionDue) }
  }
}
