import Files
import Foundation
import Messaging
import Tensors

/// Resume points on the disk, the last of each sample: `job-3-row-0.snapshot`. Beside them, what orders have given; see
/// ``AnswerFile``.
struct SnapshotFiles: Sendable {
  let folder: String
  /// Files of gigabytes are forced to the disk, which takes its time.
  private let queue = DispatchQueue(label: "snapshots", qos: .utility)
  /// Answers do not wait for them.
  private let answers = DispatchQueue(label: "answers", qos: .userInitiated)

  init(folder: String) { self.folder = folder }

  private func path(_ key: SampleKey, _ ending: String = "snapshot") -> String {
    "\(folder)/job-\(key.job)-row-\(key.row).\(ending)"
  }

  /// That of a sample, which is to be opened.
  func answers(of key: SampleKey, request: SHA256.Digest) -> AnswerFile {
    AnswerFile(path(key, "answers"), request: request, queue: answers)
  }

  /// Takes the place of the one before, at once or not at all.
  ///
  /// - Throws: `FileError`; ``JobError`` if the disk would be full.
  func write(_ point: ResumePoint, of key: SampleKey, request: SHA256.Digest) async throws {
    try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
      queue.async {
        continuation.resume(with: Result { try writeNow(point, key, request) })
      }
    }
  }

  private func writeNow(_ point: ResumePoint, _ key: SampleKey, _ request: SHA256.Digest) throws {
    let pieces = try point.pieces(request: request)
    try Folder.make(folder, permissions: 0o700)
    if var space = DiskSpace(of: folder) {
      let bytes = UInt64(pieces.reduce(0) { $0 + $1.count })
      space.available -= min(bytes, space.available)
      guard !space.isLow(wasLow: false) else { throw JobError(.busy, "the disk of \(folder) has no room for it") }
    }
    let file = try AtomicFile(path(key), ifExists: .overwrite, permissions: 0o600)
    for piece in pieces {
      try piece.withBytes { bytes in Result { () throws(FileError) in try file.write(bytes) } }.get()
    }
    try file.commit()
  }

  /// - Returns: nil if there is none, or one of another request.
  /// - Throws: `FileError`; `WireError` if it is damaged.
  func read(_ key: SampleKey, request: SHA256.Digest) async throws -> ResumePoint? {
    try await withCheckedThrowingContinuation { continuation in
      queue.async {
        continuation.resume(with: Result { try readNow(key, request) })
      }
    }
  }

  private func readNow(_ key: SampleKey, _ request: SHA256.Digest) throws -> ResumePoint? {
    guard FileManager.default.fileExists(atPath: path(key)) else { return nil }
    let file = try MappedFile.open(path(key))
    return try file.withBytes(0..<file.byteCount) { bytes in Result { try ResumePoint(bytes, request: request) } }.get()
  }

  /// Those of a job that has ended.
  func remove(job: UInt64) { removeAll { $0 == job } }

  /// Those of jobs of which nothing is to be done any more.
  func removeAll(where isOver: @escaping @Sendable (UInt64) -> Bool) {
    queue.async {
      for name in (try? Folder.names(in: folder)) ?? [] {
        let words = name.split(separator: "-")
        guard name.hasSuffix(".snapshot") || name.hasSuffix(".answers"), words.count == 4, let job = UInt64(words[1]),
          isOver(job)
        else { continue }
        try? FileManager.default.removeItem(atPath: "\(folder)/\(name)")
      }
    }
  }

  /// Waits until what was begun is done.
  func finish() async {
    for queue in [queue, answers] {
      await withCheckedContinuation { continuation in queue.async { continuation.resume() } }
    }
  }
}
