import Foundation
import Measuring
import Tensors

/// The same work by another program, in a process of its own that waits for its turn.
final class OtherProgram {
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
  static func pyTorch(
    python: String, script name: String, subject: [String], precision: Precision, isCompiled: Bool
  ) throws -> OtherProgram {
    let script = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../PyTorch/\(name)").standardizedFileURL
    return try OtherProgram(
      "PyTorch \(precision.rawValue) \(isCompiled ? "compiled" : "eager")", python, precision,
      [script.path] + subject + (isCompiled ? ["--compile"] : []))
  }

  /// Starts the program that `StableDiffusionCpp/CMakeLists.txt` builds.
  static func stableDiffusionCpp(_ program: String, model: String, precision: Precision) throws -> OtherProgram {
    let type = precision == .int8 ? "q8_0" : precision.rawValue
    return try OtherProgram("stable-diffusion.cpp \(type)", program, precision, [model])
  }

  private init(_ name: String, _ program: String, _ precision: Precision, _ arguments: [String]) throws {
    self.name = name
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments =
      arguments + ["--dtype", precision.rawValue, "--threads", "\(ThreadPool.shared.threads)"]
    process.environment = ProcessInfo.processInfo.environment.merging(["PYTHONWARNINGS": "ignore"]) { $1 }
    process.standardInput = input
    process.standardOutput = output
    do { try process.run() } catch {
      throw BenchmarkError("\(program) cannot be started: name a program that is there and may be run")
    }
    var versions = ""
    // Libraries may print lines of their own first.
    while !versions.hasPrefix("ready") { versions = try Self.line(of: name, from: output, &unread) }
    self.versions = String(versions.dropFirst("ready ".count))
  }

  /// The work once, timed by itself.
  func measure() throws {
    input.fileHandleForWriting.write(Data("\n".utf8))
    let line = try Self.line(of: name, from: output, &unread)
    guard let seconds = Double(line) else { throw BenchmarkError("\(name) answered \(line)") }
    times.values.append(seconds)
    // Its threads spin for a while when they have nothing to do; they shall not meet our next step.
    Thread.sleep(forTimeInterval: 0.3)
  }

  func stop() {
    input.fileHandleForWriting.closeFile()
    process.waitUntilExit()
  }

  private static func line(of name: String, from pipe: Pipe, _ unread: inout Data) throws -> String {
    while true {
      if let end = unread.firstIndex(of: 10) {
        defer { unread = unread[(end + 1)...] }
        return String(decoding: unread[..<end], as: UTF8.self)
      }
      let more = pipe.fileHandleForReading.availableData
      guard !more.isEmpty else { throw BenchmarkError("\(name) ended without an answer") }
      unread.append(more)
    }
  }
}

struct BenchmarkError: Error, CustomStringConvertible {
  let description: String

  init(_ description: String) { self.description = description }
}
