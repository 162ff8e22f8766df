import Files
import Foundation
import Messaging
import StrictJSON
import Tensors

/// What the orders of a sample have given, one after the other, so that a coordinator that is started again has them all and
/// not only those before the last snapshot: `job-3-row-0.answers`.
///
/// A record is the length of its body in eight bytes (little-endian), the SHA-256 of request, number and body, and the body: the
/// length of a header in four bytes, the header as JSON, the numbers. Records are not forced to the disk: a process that is
/// killed leaves them, and of a machine that lost power those before the first damaged one count.
final class AnswerFile: Sendable {
  private static let headBytes = 8 + 32

  let path: String
  private let request: SHA256.Digest
  /// Where all is done, in its order.
  private let queue: DispatchQueue
  private nonisolated(unsafe) var file: FileHandle?
  private nonisolated(unsafe) var count = 0
  private nonisolated(unsafe) var failure: (any Error)?

  init(_ path: String, request: SHA256.Digest, queue: DispatchQueue) {
    (self.path, self.request, self.queue) = (path, request, queue)
  }

  /// What is in the file; a damaged end is cut off, and what a snapshot knows beyond it is written behind.
  ///
  /// - Throws: `FileError`, and what the system says; nothing is written then from now on.
  func open(knowing answers: [Coordinator.Answer]) async throws -> [Coordinator.Answer] {
    try await withCheckedThrowingContinuation { continuation in
      queue.async { continuation.resume(with: Result { try self.openNow(answers) }) }
    }
  }

  /// - Parameter done: is told when it is written, or why it is not, which is told once.
  func append(_ answer: Coordinator.Answer, done: @escaping @Sendable ((any Error)?) -> Void) {
    queue.async {
      guard self.failure == nil else { return done(nil) }
      do {
        try self.write(answer)
        done(nil)
      } catch {
        // What comes behind a gap is of no use.
        self.failure = error
        done(error)
      }
    }
  }

  private func openNow(_ known: [Coordinator.Answer]) throws -> [Coordinator.Answer] {
    do {
      try Folder.make((path as NSString).deletingLastPathComponent, permissions: 0o700)
      var (answers, end): ([Coordinator.Answer], Int) = ([], 0)
      if FileManager.default.fileExists(atPath: path) {
        let mapped = try MappedFile.open(path)
        (answers, end) = mapped.withBytes(0..<mapped.byteCount) { Self.read($0, request) }
      } else {
        _ = FileManager.default.createFile(atPath: path, contents: nil, attributes: [.posixPermissions: 0o600])
      }
      let file = try FileHandle(forUpdating: URL(filePath: path))
      try file.truncate(atOffset: UInt64(end))
      try file.seekToEnd()
      (self.file, count) = (file, answers.count)
      for answer in known.dropFirst(answers.count) {
        try write(answer)
        answers.append(answer)
      }
      return answers
    } catch {
      failure = error
      throw error
    }
  }

  private func write(_ answer: Coordinator.Answer) throws {
    guard let file else { throw WireError("\(path) is not open") }
    if let space = DiskSpace(of: (path as NSString).deletingLastPathComponent), space.isLow(wasLow: false) {
      throw JobError(.busy, "the disk of \(path) has no room for it")
    }
    try file.write(contentsOf: Self.record(answer, number: count, request))
    count += 1
  }

  // MARK: - Records

  static func record(_ answer: Coordinator.Answer, number: Int, _ request: SHA256.Digest) -> Data {
    let header = Array(AnswerHeader(answer).json.text().utf8)
    let numbers = answer.numbers
    var body = Data(bytes(header.count, 4) + header)
    for payload in numbers { payload.withBytes { body.append(contentsOf: $0) } }
    return Data(bytes(body.count, 8) + body.withUnsafeBytes { digest($0, number, request) }.bytes) + body
  }

  /// - Returns: the answers before the first record that is damaged, or of another request, and where it begins.
  static func read(
    _ bytes: UnsafeRawBufferPointer, _ request: SHA256.Digest
  ) -> (answers: [Coordinator.Answer], end: Int) {
    var answers: [Coordinator.Answer] = []
    var end = 0
    while bytes.count - end >= headBytes {
      let length = bytes.loadUnaligned(fromByteOffset: end, as: UInt64.self).littleEndian
      guard length <= UInt64(bytes.count - end - headBytes) else { break }
      let start = end + headBytes
      let body = UnsafeRawBufferPointer(rebasing: bytes[start..<start + Int(length)])
      guard digest(body, answers.count, request).bytes.elementsEqual(bytes[end + 8..<start]),
        let answer = try? answer(body)
      else { break }
      answers.append(answer)
      end = start + Int(length)
    }
    return (answers, end)
  }

  private static func answer(_ body: UnsafeRawBufferPointer) throws -> Coordinator.Answer {
    guard body.count >= 4 else { throw WireError("a record is cut off") }
    let length = Int(body.loadUnaligned(as: UInt32.self).littleEndian)
    guard length <= body.count - 4 else { throw WireError("a header is cut off") }
    let header = try AnswerHeader(JSONValue(parsing: Array(body[4..<4 + length])))
    var rest = UnsafeRawBufferPointer(rebasing: body[(4 + length)...])
    let answer = try header.answer { try Payload(taking: $0, from: &rest) }
    guard rest.isEmpty else { throw WireError("a record has other numbers than it says") }
    return answer
  }

  private static func digest(_ body: UnsafeRawBufferPointer, _ number: Int, _ request: SHA256.Digest) -> SHA256.Digest {
    var hash = SHA256()
    hash.update(request.bytes + bytes(number, 8))
    hash.update(body)
    return hash.finalize()
  }

  /// Little-endian.
  private static func bytes(_ number: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: number >> (8 * $0)) }
  }
}

extension Payload {
  /// The first bytes of what is left.
  ///
  /// - Throws: ``WireError`` if there are fewer.
  init(taking count: Int, from rest: inout UnsafeRawBufferPointer) throws {
    guard count <= rest.count else { throw WireError("its numbers are cut off") }
    let taken = UnsafeRawBufferPointer(rebasing: rest.prefix(count))
    rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
    self.init(byteCount: count) { $0.copyMemory(from: taken) }
  }
}
