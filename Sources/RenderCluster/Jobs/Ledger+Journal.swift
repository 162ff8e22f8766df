import Journaling

/// A journal that cannot be believed: one sentence that names file, place and the jobs that are affected, without its full
/// stop.
public struct JournalDamage: Error, Sendable, Hashable, CustomStringConvertible {
  public let description: String
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
      throw JournalDamage(description: Self.sentence(path, offset, later))
    }
    if let torn = contents.torn {
      note("The journal ended in a record that is not whole, as after a crash; it is kept in \(storage.path)/\(torn).")
    }
    do throws(LedgerError) {
      return (journal, try Ledger(replaying: contents.snapshot + contents.records))
    } catch {
      throw JournalDamage(description: "The journal in \(storage.path) cannot be used: its \(error)")
    }
  }

  private static func sentence(_ path: String, _ offset: Int, _ later: [JournalRecord]) -> String {
    let jobs = Set(later.compactMap { try? LedgerEntry($0).job }).sorted()
    let affected =
      jobs.isEmpty
      ? "what it said there is lost"
      : "behind it are records of the jobs \(jobs.map(String.init).joined(separator: ", "))"
    return
      "The journal \(path) is damaged at byte \(offset), and \(affected); restore the folder from a copy, or move it "
      + "away to begin anew"
  }
}
