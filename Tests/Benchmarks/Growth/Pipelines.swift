import ArgumentParser
import Foundation
import Measuring
import StrictJSON

/// `Benchmarks pipelines`: what a pipeline of workers makes, by its stages and by the pictures in flight.
struct Pipelines: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Measures what a pipeline of workers makes, by its stages and by the pictures in flight.",
    discussion: """
      Starts clusca coordinator and a worker for each stage, which share the blocks of a model among them, and submits \
      pictures, with guidance as the model has it. Everything counts from the request to the file. Stages are of use \
      where there are processors for all of their threads.
      """)

  @Option(help: "The program clusca; the one beside this program unless given.")
  var clusca: String?

  @Option(name: .shortAndLong, help: "The model, as clusca takes it.")
  var model = "default"

  @Option(parsing: .upToNextOption, help: "Workers, each with its stage.")
  var stages = [1, 2]

  @Option(parsing: .upToNextOption, help: "Pictures that are asked for at once.")
  var pictures = [1, 2, 4, 8]

  @Option(help: "Denoising steps.")
  var steps = 20

  @Option(help: "Threads of each worker.")
  var threads = 1

  @Option(help: "How often each number of pictures is timed, by turns.")
  var rounds = 3

  func validate() throws {
    guard (stages + pictures + [steps, threads, rounds]).allSatisfy({ (1...1000).contains($0) }) else {
      throw ValidationError("stages, pictures, steps, threads and rounds are 1 to 1000")
    }
  }

  func run() throws {
    let beside = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath().deletingLastPathComponent()
    let program = clusca ?? beside.path + "/clusca"
    var rows = [["stages", "pictures", "s", "s a picture", "times as much as the first"]]
    var results: [JSONValue] = []
    var first: Double?
    for stages in stages {
      let cluster = try LocalCluster(program, model: model, workers: stages, threads: threads)
      defer { cluster.stop() }
      try cluster.render(1, steps: 2)  // loads the model
      var times = [Int: Sample]()
      for _ in 0..<rounds {
        for count in pictures {
          times[count, default: Sample()].values.append(try cluster.render(count, steps: steps))
        }
      }
      for count in pictures {
        guard let sample = times[count] else { continue }
        let each = sample.median / Double(count)
        rows.append(
          ["\(stages)", "\(count)", Report.fixed(sample.median, 2), Report.fixed(each, 3)]
            + [Report.fixed((first ?? each) / each, 2)])
        first = first ?? each
        results.append(["stages": .integer(stages), "pictures": .integer(count), "seconds": sample.timeJSON])
      }
      Report.note("\(stages) of \(self.stages) stages")
    }
    Report.table(rows)
    Report.json([
      "benchmark": "pipelines", "machine": .object(Report.machine), "model": .string(model),
      "steps": .integer(steps), "threads": .integer(threads), "rounds": .integer(rounds), "points": .array(results),
    ])
  }
}

/// A coordinator and workers on this machine, in a folder of their own.
private final class LocalCluster {
  private let program: String
  private let folder: URL
  private var processes: [Process] = []

  /// Returns when all workers have joined.
  init(_ program: String, model: String, workers: Int, threads: Int) throws {
    guard FileManager.default.isExecutableFile(atPath: program) else {
      throw BenchmarkError("\(program) is no program; build it with swift build -c release, or name it with --clusca.")
    }
    self.program = program
    folder = FileManager.default.temporaryDirectory.appendingPathComponent("clusca-\(UUID().uuidString.prefix(8))")
    try FileManager.default.createDirectory(
      at: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    do {
      try start(
        ["coordinator", "--listen", address, "--state", folder.path + "/state", "--replicas", "1", "-q", "-m", model])
      for number in 1...workers {
        try start(
          ["worker", "--coordinator", address, "--name", "w\(number)", "--threads", "\(threads)", "-q", "-m", model])
      }
      try waitForWorkers(workers)
    } catch {
      stop()
      throw error
    }
  }

  private func waitForWorkers(_ count: Int) throws {
    let deadline = Date(timeIntervalSinceNow: 60)
    while try joined() < count {
      guard processes.allSatisfy(\.isRunning) else { throw BenchmarkError("The coordinator or a worker has ended.") }
      guard Date() < deadline else { throw BenchmarkError("The \(count) workers did not join within a minute.") }
      Thread.sleep(forTimeInterval: 0.2)
    }
  }

  private var address: String { "ipc://\(folder.path)/coordinator" }

  /// Seconds from the request for so many pictures of different seeds to the last file.
  @discardableResult
  func render(_ count: Int, steps: Int) throws -> Double {
    let began = ContinuousClock.now
    let outcome = try run(
      [
        "submit", "--coordinator", address, "-p", "a red apple", "--seed", "0", "--batch-count", "\(count)", "--steps",
        "\(steps)", "-q", "--force", "-o", folder.path + "/%d.png",
      ])
    guard outcome.status == 0 else { throw BenchmarkError("clusca submit ended with status \(outcome.status).") }
    return (ContinuousClock.now - began) / .seconds(1)
  }

  func stop() {
    for process in processes.reversed() {
      process.terminate()
      process.waitUntilExit()
    }
    processes = []
    try? FileManager.default.removeItem(at: folder)
  }

  private func joined() throws -> Int {
    // Until the coordinator listens it says that there is none.
    let outcome = try run(["status", "--coordinator", address, "--json"], errors: .nullDevice)
    guard outcome.status == 0 else { return 0 }
    return try JSONValue(parsing: outcome.output)["workers"]?.array?.count ?? 0
  }

  private func process(_ arguments: [String]) -> Process {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    return process
  }

  private func start(_ arguments: [String]) throws {
    let process = process(arguments)
    try process.run()
    processes.append(process)
  }

  private func run(
    _ arguments: [String], errors: FileHandle = .standardError
  ) throws -> (status: Int32, output: Data) {
    let (process, output) = (process(arguments), Pipe())
    process.standardOutput = output
    process.standardError = errors
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    return (process.terminationStatus, data)
  }
}
