import Foundation
import Measuring

/// The same step by PyTorch, in a process of its own that waits for its turn.
final class PyTorchStep {
  let name: String
  /// Versions, as it tells them.
  let versions: String
  private(set) var times = Sample()
  private let process = Process()
  private let (input, output) = (Pipe(), Pipe())
  private var unread = Data()

  /// Starts `steps.py`, and returns when it is warm.
  ///
  /// - Parameter python: a Python with the packages of `requirements.txt`.
  init(python: String, model: String, dtype: String, isCompiled: Bool, threads: Int) throws {
    name = "PyTorch \(dtype) \(isCompiled ? "compiled" : "eager")"
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../PyTorch/steps.py").standardizedFileURL
    process.executableURL = URL(fileURLWithPath: python)
    process.arguments =
      [script.path, model, "--dtype", dtype, "--threads", "\(threads)"] + (isCompiled ? ["--compile"] : [])
    process.environment = ProcessInfo.processInfo.environment.merging(["PYTHONWARNINGS": "ignore"]) { $1 }
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    var versions = ""
    // Libraries may print lines of their own first.
    while !versions.hasPrefix("ready") { versions = try Self.line(from: output, &unread, of: process) }
    self.versions = String(versions.dropFirst("ready ".count))
  }

  /// One step, timed by itself.
  func step() throws {
    input.fileHandleForWriting.write(Data("\n".utf8))
    let line = try Self.line(from: output, &unread, of: process)
    guard let seconds = Double(line) else { throw BenchmarkError("steps.py answered \(line)") }
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
      guard !more.isEmpty else { throw BenchmarkError("steps.py ended without an answer") }
      unread.append(more)
    }
  }
}

struct BenchmarkError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
