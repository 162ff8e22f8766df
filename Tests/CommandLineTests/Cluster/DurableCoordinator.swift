import Foundation
import Media
import StrictJSON
import Synchronization
import Testing

@testable import clusca

/// A coordinator whose process is killed and started again, with the same folder for what it remembers.
final class DurableCoordinator {
  let folder: TemporaryFolder
  let address: String
  private(set) var process: RunningProgram?
  private var workers: [(process: RunningProgram, arguments: [String], faults: [String: String])] = []

  init() throws {
    folder = try TemporaryFolder()
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.path)
    address = "ipc://\(folder.path)/c"
  }

  var state: String { "\(folder.path)/state" }

  /// - Parameters:
  ///   - crash: the place at which it is killed.
  ///   - faults: other variables of it.
  func start(
    crash: String? = nil, faults: [String: String] = [:], models: [String] = [TinyModels.dev],
    segmentBytes: Int = 1 << 16, more: String...
  ) throws {
    process = try RunningProgram(
      ["coordinator", "--listen", address, "--state", state, "--segment-bytes", "\(segmentBytes)"]
        + models.flatMap { ["-m", $0] } + more,
      environment: crash.map { ["CLUSCA_CRASH_AT": $0] } ?? faults)
  }

  func serves() async throws { try await process?.says("Serving") }

  /// - Parameter crash: the place at which it is killed, and each process that takes its place.
  func startWorker(crash: String, roles: String = "stages") throws {
    try startWorker(faults: ["CLUSCA_CRASH_AT": crash], roles: roles)
  }

  /// - Parameter faults: variables of it, and of each process that takes its place.
  @discardableResult
  func startWorker(
    faults: [String: String] = [:], roles: String = "stages", models: [String] = [TinyModels.dev]
  ) throws -> RunningProgram {
    let arguments =
      ["worker", "--coordinator", address, "--name", "w\(workers.count)", "--threads", "1", "--gflops", "10"]
      + ["--roles", roles] + models.flatMap { ["-m", $0] }
    let process = try RunningProgram(arguments, environment: faults)
    workers.append((process, arguments, faults))
    return process
  }

  /// The files of what stages have kept.
  func snapshots() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: "\(state)/snapshots").filter { $0.hasSuffix(".snapshot") }
      .sorted()
  }

  /// How many orders of a sample have been answered, by their records on the disk.
  func answers(row: Int = 0) -> Int {
    let path = "\(state)/snapshots/job-1-row-\(row).answers"
    guard let bytes = try? Data(contentsOf: URL(filePath: path)) else { return 0 }
    var (count, place) = (0, 0)
    // Each is its length in eight bytes, a digest of 32, and so many bytes.
    while place + 40 <= bytes.count {
      place += 40 + (0..<8).reduce(0) { $0 | Int(bytes[place + $1]) << (8 * $1) }
      if place <= bytes.count { count += 1 }
    }
    return count
  }

  /// Kills a worker, if it has not ended, and starts another under its name.
  ///
  /// - Parameter faults: variables of the other; those of the first unless given.
  @discardableResult
  func replaceWorker(_ number: Int, faults: [String: String]? = nil) throws -> RunningProgram {
    if workers[number].process.process.isRunning { workers[number].process.signal(SIGKILL) }
    _ = workers[number].process.end()
    workers[number].faults = faults ?? workers[number].faults
    return try startAgain(number)
  }

  /// Starts those again that have ended, as who looks after them does.
  ///
  /// - Returns: how many these were.
  func restartWorkers() throws -> Int {
    let ended = workers.indices.filter { !workers[$0].process.process.isRunning }
    for number in ended { try startAgain(number) }
    return ended.count
  }

  @discardableResult
  private func startAgain(_ number: Int) throws -> RunningProgram {
    let process = try RunningProgram(workers[number].arguments, environment: workers[number].faults)
    workers[number].process = process
    return process
  }

  func kill() {
    process?.signal(SIGKILL)
    _ = process?.end()
  }

  func client(_ command: String, _ arguments: String...) throws -> Program.Outcome {
    try Program.run(command.split(separator: " ").map(String.init) + ["--coordinator", address] + arguments)
  }

  func submit(_ arguments: String...) throws -> Program.Outcome { try submit(arguments) }

  func submit(_ arguments: [String]) throws -> Program.Outcome {
    try Program.run(["submit", "--coordinator", address] + TinyModels.small + arguments)
  }

  /// What `clusca jobs` tells of each job.
  func jobs(_ arguments: String...) throws -> [JSONValue] {
    let outcome = try Program.run(["jobs", "--coordinator", address, "--json"] + arguments)
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try outcome.output.split(separator: "\n").map { try JSONValue(parsing: String($0)) }
  }

  /// The pixels of a job's picture, when it is done.
  func fetchedPixels(_ job: Int) throws -> [UInt8] {
    let outcome = try client("fetch", "\(job)", "-o", "\(folder.path)/fetched-\(job).png")
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try pixels("fetched-\(job).png")
  }

  /// The pixels of a picture in the folder.
  func pixels(_ name: String) throws -> [UInt8] { try Self.pixels("\(folder.path)/\(name)") }

  static func pixels(_ path: String) throws -> [UInt8] {
    try PNG.decode(Array(Data(contentsOf: URL(filePath: path)))).bytes
  }

  /// Those that a single process makes.
  static func reference(_ arguments: String...) throws -> [UInt8] { try reference(arguments) }

  static func reference(_ arguments: [String]) throws -> [UInt8] {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let outcome = try Program.run(["generate", "-m", TinyModels.dev] + TinyModels.small + arguments + ["-o", path])
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try pixels(path)
  }
}

/// Something that becomes true.
final class ManagedFlag: Sendable {
  private let state = Mutex(false)
  var value: Bool { state.withLock { $0 } }
  func set() { state.withLock { $0 = true } }
}
