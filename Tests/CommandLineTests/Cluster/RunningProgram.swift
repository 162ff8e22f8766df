import Foundation

/// The program in the background, as a daemon runs.
final class RunningProgram {
  let process = Process()
  private let folder: TemporaryFolder
  private let errorsPath: String

  convenience init(_ arguments: String...) throws { try self.init(arguments) }

  init(_ arguments: [String], environment: [String: String] = [:]) throws {
    folder = try TemporaryFolder()
    errorsPath = try folder.file("errors", "")
    process.executableURL = URL(filePath: try Program.path)
    process.arguments = arguments
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle(forReadingAtPath: "/dev/null")
    process.standardOutput = FileHandle(forWritingAtPath: "/dev/null")
    process.standardError = FileHandle(forWritingAtPath: errorsPath)
    try process.run()
  }

  deinit { if process.isRunning { kill(process.processIdentifier, SIGKILL) } }

  /// What it has said so far.
  var errors: String { (try? String(contentsOfFile: errorsPath, encoding: .utf8)) ?? "" }

  /// Waits until it has said something.
  func says(_ text: String) async throws {
    while !errors.contains(text) {
      try await Task.sleep(for: .milliseconds(5))
      guard process.isRunning || errors.contains(text) else { throw Ended(errors: errors) }
    }
  }

  /// The port at which a coordinator listens by TCP.
  func port() async throws -> UInt16 {
    try await says("Listening on tcp://127.0.0.1:")
    try await says("Serving")
    let port = errors.firstMatch(of: /Listening on tcp:\/\/127\.0\.0\.1:(\d+)/).flatMap { UInt16($0.1) }
    guard let port else { throw Ended(errors: errors) }
    return port
  }

  struct Ended: Error { let errors: String }

  func signal(_ number: Int32) { kill(process.processIdentifier, number) }

  /// Its exit status.
  func end() -> Int32 {
    let patience = Patience(with: process)
    process.waitUntilExit()
    patience.end()
    return process.terminationReason == .exit ? process.terminationStatus : -process.terminationStatus
  }

  /// The processes that a process has started, when there are so many.
  static func children(of process: Int32, count: Int) throws -> [Int32] {
    for _ in 0..<2_000 {
      let found = try FileManager.default.contentsOfDirectory(atPath: "/proc").compactMap { Int32($0) }.filter { id in
        let stat = (try? String(contentsOfFile: "/proc/\(id)/stat", encoding: .utf8)) ?? ""
        // Behind the name in brackets: state and parent.
        return stat.split(separator: ")").last?.split(separator: " ").dropFirst().first == "\(process)"
      }
      if found.count >= count { return found.sorted() }
      usleep(5_000)
    }
    throw Ended(errors: "\(process) has not started \(count) processes")
  }
}
