import Foundation
import Measuring

/// The same work by PyTorch, in a process of its own that waits for its turn.
final class PyTorchProcess {
  let name: String
  /// Versions, as it tells them.
  let versions: String
  private(set) var times = Sample()
  private let process = Process()
  private let (input, output) = (Pipe(), Pipe())
  private var unread = Data()

  /// Starts a script beside `requirements.txt`, and returns when it is warm.
  ///
  /// - Parameters:
  ///   - python: a Python with the packages of `requirements.txt`.
  ///   - subject: what the script is to do, its first arguments.
  init(python: String, script name: String, subject: [String], dtype: String, isCompiled: Bool, threads: Int) throws {
    self.name = "PyTorch \(dtype) \(isCompiled ? "compiled" : "eager")"
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../PyTorch/\(name)").standardizedFileURL
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments =
      [script.path] + subject + ["--dtype", dtype, "--threads", "\(threads)"] + (isCompiled ? ["--compile"] : [])
    process.environment = ProcessInfo.processInfo.environment.merging(["PYTHONWARNINGS": "ignore"]) { $1 }
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    var versions = ""
    // Libraries may print lines of their own first.
    while !versions.hasPrefix("ready") { versions = try Self.line(from: output, &unread, of: process) }
    self.versions = String(versions.dropFirst("ready ".count))
  }

  /// The work once, timed by itself.
  func measure() throws {
    input.fileHandleForWriting.write(Data("\n".utf8))
    let line = try Self.line(from: output, &unread, of: process)
    guard let seconds = Double(line) else { throw BenchmarkError("PyTorch's script answered \(line)") }
    times.values.append(seconds)
    // Its threads spin for a while when they have nothing to do; they shall not meet our next step.
    Thread.sleep(forTimeInterval: 0.3)
  }

  func stop() {
    input.fileHandleForWriting.closeFile()
    process.waitUntilExit()
  }

  private static func line(from pipe: Pipe, _ unread: inout Data, of process: Process) throws -> String {
    while true {
      if let end = unread.firstIndex(of: 10) {
        defer { unread = unread[(end + 1)...] }
        return String(decoding: unread[..<end], as: UTF8.self)
      }
      let more = pipe.fileHandleForReading.availableData
      guard !more.isEmpty else { throw BenchmarkError("PyTorch's script ended without an answer") }
      unread.append(more)
    }
  }
}

struct BenchmarkError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
