import Journaling

/// A journal that cannot be believed: one sentence that names file, place and the jobs that are affected, without its full
/// stop.
public struct JournalDamage: Error, Sendable, Hashable, CustomStringConvertible {
  public let description: String

  init(description: String) { self.description = description }

  /// - Parameter later: the records behind the damage that can still be read.
  init(path: String, offset: Int, later: [JournalRecord]) {
    let jobs = Set(later.compactMap { try? LedgerEntry($0).job }).sorted()
    let affected =
      jobs.isEmpty
      ? "what it said there is lost"
      : "behind it are records of the jobs \(jobs.map(String.init).joined(separator: ", "))"
    description =
      "The journal \(path) is damaged at byte \(offset), and \(affected); restore the folder from a copy, or move it "
      + "away to begin anew"
  }
}

extension Ledger {
  /// Reads a journal.
  ///
  /// - Parameter note: told what people should know.
  /// - Throws: ``JournalError``; ``JournalDamage`` for one that was damaged behind the coordinator's back.
  static func read(
    _ storage: any JournalStorage, segmentBytes: Int, _ note: (String) -> Void
  ) throws -> (journal: Journal, ledger: Ledger) {
    let journal: Journal
    let contents: Journal.Contents
    do {
      (journal, contents) = try Journal.open(storage, segmentBytes: segmentBytes)
    } catch JournalError.damaged(let path, let offset, let later) {
      throw JournalDamage(path: path, offset: offset, later: later)
    }
    if let torn = contents.torn {
      note("The journal ended in a record that is not whole, as after a crash; it is kept in \(storage.path)/\(torn).")
    }
    return (journal, try Ledger(replaying: contents.snapshot + contents.records, of: storage.path))
  }

  /// - Parameter folder: for the error.
  init(replaying records: [JournalRecord], of folder: String) throws(JournalDamage) {
    do throws(LedgerError) {
      try self.init(replaying: records)
    } catch {
      throw JournalDamage(description: "The journal in \(folder) cannot be used: its \(error)")
    }
  }
}
