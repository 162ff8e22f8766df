import Files
import Glibc
import Messaging
import RenderCluster
import StrictJSON
import Tensors

/// The folder for what jobs make: `job-7.png` and, about it, `job-7.json`. A file is there whole or not at all, and the
/// ledger says that a job is done only when its files are on the disk.
struct JobOutputs: Sendable {
  private static let maximumBytes = 1 << 30

  let folder: String

  func pictureName(_ job: UInt64) -> String { "job-\(job).png" }

  private func reportName(_ job: UInt64) -> String { "job-\(job).json" }

  /// The highest number of a job that has left files here, 0 if none has: a new ledger does not give it again.
  var lastJob: UInt64 {
    guard let names = try? Folder.names(in: folder) else { return 0 }
    return names.compactMap { name in
      guard name.hasPrefix("job-"), let dot = name.lastIndex(of: ".") else { return nil }
      return UInt64(name[..<dot].dropFirst(4))
    }.max() ?? 0
  }

  /// Puts both files in their places, over those of an attempt that was cut off. While the disk is full it waits.
  ///
  /// - Throws: `FileError`; `CancellationError`.
  func write(
    _ job: UInt64, picture: [UInt8], report: JSONValue, _ note: (String) -> Void
  ) async throws -> [LedgerJob.Output] {
    var outputs: [LedgerJob.Output] = []
    for (name, bytes) in [(pictureName(job), picture), (reportName(job), Array(report.text().utf8))] {
      try await whenThereIsRoom(job, note) {
        try AtomicFile.write(bytes, to: "\(folder)/\(name)", ifExists: .overwrite, createFolders: true)
      }
      outputs.append(
        LedgerJob.Output(name: name, bytes: bytes.count, digest: Messaging.Digest(SHA256.digest(of: bytes))))
    }
    return outputs
  }

  private func whenThereIsRoom(_ job: UInt64, _ note: (String) -> Void, _ body: () throws -> Void) async throws {
    var isNoted = false
    while true {
      do {
        return try body()
      } catch let error as FileError where error.failure == .diskFull {
        if !isNoted { note("Job \(job) waits for room on the disk to keep what it has made.") }
        isNoted = true
        try await Task.sleep(for: .seconds(1))
      }
    }
  }

  /// The report and the picture of a job that is done, if they are still what they were.
  ///
  /// - Throws: `FileError`.
  func read(_ outputs: [LedgerJob.Output]) throws -> (report: JSONObject, picture: [UInt8]) {
    var contents: [[UInt8]] = []
    for output in outputs {
      let path = "\(folder)/\(output.name)"
      let bytes = try InputFile.read(path, maximumBytes: Self.maximumBytes)
      guard Messaging.Digest(SHA256.digest(of: bytes)) == output.digest else {
        throw FileError(path: path, reason: "it is not any more what the job has made")
      }
      contents.append(bytes)
    }
    guard contents.count == 2 else { return ([:], contents.first ?? []) }
    return (try JSONValue(parsing: contents[1]).object ?? [:], contents[0])
  }

  func remove(_ job: UInt64) {
    for name in [pictureName(job), reportName(job)] { unlink("\(folder)/\(name)") }
  }
}
