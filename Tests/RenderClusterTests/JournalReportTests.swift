import Files
import Foundation
import Messaging
import Testing

@testable import Journaling
@testable import RenderCluster

/// A journal that is read without a coordinator.
@Suite final class JournalReportTests {
  private let folder: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "clusca-journal-\(UUID().uuidString)")
    folder = url.path(percentEncoded: false)
    var (journal, _) = try Journal.open(FolderStorage(folder), segmentBytes: 8192)
    try journal.begin([LedgerEntry.job(Self.job(1)).record(date: 0), LedgerEntry.job(Self.job(2)).record(date: 0)])
    let ending = LedgerJob.Ending(ending: JobEnding(.done), date: 3, outputs: [])
    for entry in [LedgerEntry.job(Self.job(3)), .ended(job: 1, ending), .paused(job: 2)] {
      try journal.write([entry.record(date: 1)])
      try journal.synchronise()
    }
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private var path: String { "\(folder)/journal-00000002.log" }

  private static func job(_ id: UInt64) -> LedgerJob {
    LedgerJob(
      id: id, client: "c", key: [UInt8](repeating: UInt8(id), count: Submission.keyBytes), request: "{}", model: "m",
      steps: 4, accepted: 5)
  }

  private func change(_ change: (inout Data) -> Void) throws {
    var bytes = try Data(contentsOf: URL(filePath: path))
    change(&bytes)
    try bytes.write(to: URL(filePath: path))
  }

  @Test func recordsAndJobsAreCounted() throws {
    let report = try JournalReport(folder: folder)
    #expect(report.path == path && report.torn == nil)
    #expect(report.snapshotRecords == 2 && report.records == 3)
    #expect(report.jobs == [.done: 1, .paused: 1, .waiting: 1])
  }

  @Test func nothingIsChangedAndACoordinatorMayHaveTheFolder() throws {
    let storage = try FolderStorage(folder)
    let end = try Journal.inspect(folder: folder)
    try change { $0.replaceSubrange(2000..<2004, with: [1, 2, 3, 4]) }
    let before = try (storage.names(), Data(contentsOf: URL(filePath: path)))
    #expect(try JournalReport(folder: folder).torn?.upperBound == 2004)
    #expect(try (storage.names(), Data(contentsOf: URL(filePath: path))) == before)
    #expect(end.sequence == 3)
  }

  @Test func damageIsNamedWithItsPlaceAndTheJobsBehindIt() throws {
    try change { $0[60] ^= 1 }
    let error = #expect(throws: JournalDamage.self) { try JournalReport(folder: folder) }
    #expect(
      error?.description.contains("\(path) is damaged at byte 48, and behind it are records of the jobs 1, 2") == true)
  }

  @Test func aFolderWithoutAJournalIsAnError() throws {
    try FileManager.default.removeItem(atPath: path)
    #expect(throws: JournalError.file(FileError(path: folder, reason: "holds no journal"))) {
      try JournalReport(folder: folder)
    }
    #expect(throws: JournalError.self) { try JournalReport(folder: "\(folder)/none") }
  }
}
