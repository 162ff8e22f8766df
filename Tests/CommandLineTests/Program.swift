import Foundation

/// Runs the program as a user does.
enum Program {
  struct Outcome {
    let status: Int32
    let output: String
    let errors: String

    /// The messages; a program that behaves gives one.
    var errorLines: [Substring] { errors.split(separator: "\n") }

    /// Whether it ended with one sentence of its own.
    var hasOneSentence: Bool { errorLines.count == 1 && errors.hasPrefix("clusca: ") && errors.hasSuffix("\n") }
  }

  /// The program that was built beside the test bundle.
  static var path: String {
    get throws {
      let bundle = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
      return URL(filePath: bundle).deletingLastPathComponent().appending(path: "clusca").path(percentEncoded: false)
    }
  }

  static func run(
    _ arguments: String..., input: String? = nil, environment: [String: String] = [:],
    whileRunning body: (Process) throws -> Void = { _ in }
  ) throws -> Outcome {
    try run(arguments, input: input, environment: environment, whileRunning: body)
  }

  static func run(
    _ arguments: [String], input: String? = nil, environment: [String: String] = [:],
    whileRunning body: (Process) throws -> Void = { _ in }
  ) throws -> Outcome {
    try run(path, arguments, input: input, environment: environment, whileRunning: body)
  }

  /// Runs a line of the shell, in which `$0` is the program and `$1` and so on are `arguments`.
  static func runShell(
    _ line: String, _ arguments: String..., whileRunning body: (Process) throws -> Void = { _ in }
  ) throws -> Outcome {
    try run("/bin/sh", ["-c", line, path] + arguments, input: nil, environment: [:], whileRunning: body)
  }

  private static func run(
    _ executable: String, _ arguments: [String], input: String?, environment: [String: String],
    whileRunning body: (Process) throws -> Void
  ) throws -> Outcome {
    // Files, since a full pipe would make the program wait for a reader.
    let folder = try TemporaryFolder()
    let output = try folder.file("output", "")
    let errors = try folder.file("errors", "")
    let process = Process()
    process.executableURL = URL(filePath: executable)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle(forReadingAtPath: try input.map { try folder.file("input", $0) } ?? "/dev/null")
    process.standardOutput = FileHandle(forWritingAtPath: output)
    process.standardError = FileHandle(forWritingAtPath: errors)
    try process.run()
    let patience = Patience(with: process)
    try body(process)
    process.waitUntilExit()
    patience.end()
    return Outcome(
      status: process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus,
      output: try String(contentsOfFile: output, encoding: .utf8),
      errors: try String(contentsOfFile: errors, encoding: .utf8))
  }
}

/// Kills a process that does not end, so that a test fails where it would stand still.
struct Patience {
  private let killing: DispatchWorkItem

  init(with process: Process) {
    let id = process.processIdentifier
    killing = DispatchWorkItem { kill(id, SIGKILL) }
    DispatchQueue.global().asyncAfter(deadline: .now() + 300, execute: killing)
  }

  func end() { killing.cancel() }
}

/// A folder that a test has for itself and that goes when the test ends.
final class TemporaryFolder {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appending(path: "clusca-command-line-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path(percentEncoded: false)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

  /// Writes a file, with the folders above it, and returns its path.
  @discardableResult
  func file(_ name: String, _ bytes: some Sequence<UInt8>) throws -> String {
    let url = URL(filePath: path).appending(path: name)
    try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: url)
    return url.path(percentEncoded: false)
  }

  @discardableResult
  func file(_ name: String, _ text: String) throws -> String { try file(name, text.utf8) }
}
