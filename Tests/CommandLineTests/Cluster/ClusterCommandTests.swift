import Foundation
import Media
import StrictJSON
import Testing

@testable import clusca

/// Coordinator, workers and clients as processes.
@Suite(.timeLimit(.minutes(2)), .serialized) struct ClusterCommandTests {
  /// A coordinator with workers, in a folder of its own.
  private final class Cluster {
    let folder: TemporaryFolder
    let address: String
    let coordinator: RunningProgram
    private(set) var workers: [RunningProgram] = []

    init(workers count: Int) async throws {
      folder = try TemporaryFolder()
      try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.path)
      address = "ipc://\(folder.path)/c"
      coordinator = try RunningProgram(
        "coordinator", "--listen", address, "-m", TinyModels.dev, "--state", "\(folder.path)/state", "-o",
        "\(folder.path)/jobs")
      try await coordinator.says("Serving")
      for number in 0..<count { try await start("w\(number)") }
    }

    func start(_ name: String) async throws {
      workers.append(
        try RunningProgram(
          "worker", "--coordinator", address, "--name", name, "-m", TinyModels.dev, "--threads", "1", "--gflops", "10"))
      try await coordinator.says("The worker \(name) is here")
    }

    func client(_ command: String, _ arguments: String...) throws -> Program.Outcome {
      try Program.run([command, "--coordinator", address] + arguments)
    }

    func submit(_ arguments: String...) throws -> Program.Outcome {
      try Program.run(["submit", "--coordinator", address] + TinyModels.small + arguments)
    }

    func status() throws -> JSONValue {
      try JSONValue(parsing: client("status", "--json").output)
    }
  }

  private func pictureBytes(_ path: String) throws -> Data { try Data(contentsOf: URL(filePath: path)) }

  /// Without the settings, which name the model as the coordinator does.
  private func pixels(_ png: Data) throws -> [UInt8] { try PNG.decode(Array(png)).bytes }

  private func picture(_ arguments: String...) throws -> Data {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let outcome = try Program.run(["generate", "-m", TinyModels.dev] + TinyModels.small + arguments + ["-o", path])
    try #require(outcome.status == 0, "\(outcome.errors)")
    return try pictureBytes(path)
  }

  // MARK: - Workers of generate

  @Test func workersOfGenerateGiveTheSamePictures() throws {
    let folder = try TemporaryFolder()
    let prompts = try folder.file("prompts.txt", "a cat\na dog\na house\n")
    for workers in [[], ["--workers", "1"], ["--workers", "3", "--trace", "\(folder.path)/trace.json"]] {
      let outcome = try Program.run(
        ["generate", "-m", TinyModels.dev] + TinyModels.small + workers
          + ["--steps", "9", "--cfg-scale", "2", "--prompts-file", prompts, "--force"]
          + ["-o", "\(folder.path)/\(workers.count)-%d.png", "--manifest", "\(folder.path)/\(workers.count).json"])
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    for index in 0..<3 {
      let local = try pictureBytes("\(folder.path)/0-\(index).png")
      #expect(try pictureBytes("\(folder.path)/2-\(index).png") == local)
      #expect(try pictureBytes("\(folder.path)/4-\(index).png") == local)
    }
    // The manifest of three workers is checked by one process: step by step.
    let check = try Program.run("check", "\(folder.path)/4.json", "-m", TinyModels.dev)
    #expect(check.status == 0, "\(check.errors)")
    let trace = try JSONValue(parsing: String(contentsOfFile: "\(folder.path)/trace.json", encoding: .utf8))
    let spans = trace["traceEvents"]?.array?.filter { $0["ph"] == "X" } ?? []
    // Three pictures of nine steps and two rows, on each of three stages.
    #expect(spans.count == 3 * 9 * 2 * 3)
  }

  @Test func aWorkerOfGenerateThatIsKilledIsReplaced() throws {
    let folder = try TemporaryFolder()
    let path = "\(folder.path)/x.png"
    let outcome = try Program.run(
      ["generate", "-m", TinyModels.dev] + TinyModels.small
        + ["--steps", "300", "--workers", "2", "-p", "a cat", "-o", path]
    ) { process in
      let children = try RunningProgram.children(of: process.processIdentifier, count: 2)
      usleep(400_000)
      kill(children[0], SIGKILL)
    }
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.errors.contains("has ended before its time"))
    #expect(try pictureBytes(path) == picture("--steps", "300", "-p", "a cat"))
  }

  @Test func workersEndWithGenerate() throws {
    var children: [Int32] = []
    let outcome = try Program.run(
      ["generate", "-m", TinyModels.dev, "--steps", "10000", "--workers", "2", "-p", "a cat", "-o", "/tmp/never.png"]
    ) { process in
      children = try RunningProgram.children(of: process.processIdentifier, count: 2)
      usleep(300_000)
      kill(process.processIdentifier, SIGKILL)
    }
    #expect(outcome.status == -SIGKILL)
    for child in children {
      var isThere = true
      for _ in 0..<400 where isThere {
        // A zombie has ended, too.
        let stat = (try? String(contentsOfFile: "/proc/\(child)/stat", encoding: .utf8)) ?? ""
        isThere = !stat.isEmpty && !stat.contains(") Z ")
        usleep(5_000)
      }
      #expect(!isThere)
    }
  }

  // MARK: - The daemon

  @Test func submitGivesThePicturesOfGenerate() async throws {
    let cluster = try await Cluster(workers: 2)
    let path = "\(cluster.folder.path)/x-%d.png"
    let outcome = try cluster.submit(
      "-p", "a cat", "--seed", "3", "--seed", "4", "--cfg-scale", "2", "-o", path, "--manifest",
      "\(cluster.folder.path)/manifest.json")
    #expect(outcome.status == 0, "\(outcome.errors)")
    let check = try Program.run("check", "\(cluster.folder.path)/manifest.json", "-m", TinyModels.dev)
    #expect(check.status == 0, "\(check.errors)")
    for (index, seed) in ["3", "4"].enumerated() {
      #expect(
        try pixels(pictureBytes("\(cluster.folder.path)/x-\(index).png"))
          == pixels(picture("-p", "a cat", "--seed", seed, "--cfg-scale", "2")))
    }
    let status = try cluster.status()
    #expect(status["workers"]?.array?.compactMap { $0["state"]?.string } == ["ready", "ready"])
    #expect(status["jobs"]?.array?.compactMap { $0["state"]?.string } == ["done", "done"])
    let table = try cluster.client("status")
    #expect(table.output.contains("w0") && table.output.contains("done"))
  }

  @Test func aJobCanBeLeftAloneAndCancelled() async throws {
    let cluster = try await Cluster(workers: 1)
    let outcome = try cluster.submit("-p", "a cat", "--steps", "10000", "--detach")
    #expect(outcome.output == "1\n")
    #expect(try cluster.client("cancel", "1").status == 0)
    try await cluster.coordinator.says("Job 1 of client: cancelled")
    let unknown = try cluster.client("cancel", "7")
    #expect(unknown.status == 2 && unknown.errors.contains("There is no job 7"))
  }

  @Test func anInterruptedSubmitEndsItsJob() async throws {
    let cluster = try await Cluster(workers: 1)
    let outcome = try Program.run(
      ["submit", "--coordinator", cluster.address, "-p", "a cat", "--steps", "10000"]
        + ["-o", "\(cluster.folder.path)/x.png"]
    ) { process in
      usleep(700_000)
      kill(process.processIdentifier, SIGINT)
    }
    #expect(outcome.status == Status.interrupted.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
    try await cluster.coordinator.says("Job 1 of client: cancelled")
    #expect(!FileManager.default.fileExists(atPath: "\(cluster.folder.path)/x.png"))
  }

  @Test func whoWaitsGetsThePictureOverARestartOfTheCoordinator() async throws {
    let cluster = try await Cluster(workers: 1)
    let path = "\(cluster.folder.path)/x.png"
    var next: RunningProgram?
    let outcome = try Program.run(
      ["submit", "--coordinator", cluster.address] + TinyModels.small + ["-p", "a cat", "--steps", "1500", "-o", path]
    ) { _ in
      usleep(500_000)
      cluster.coordinator.signal(SIGKILL)
      _ = cluster.coordinator.end()
      next = try RunningProgram(
        "coordinator", "--listen", cluster.address, "-m", TinyModels.dev, "--state", "\(cluster.folder.path)/state",
        "-o", "\(cluster.folder.path)/jobs")
    }
    #expect(outcome.status == 0, "\(outcome.errors) \(next?.errors ?? "")")
    #expect(try pixels(pictureBytes(path)) == pixels(picture("-p", "a cat", "--steps", "1500")))
  }

  @Test func killedWorkersCostTimeAndNotThePicture() async throws {
    let cluster = try await Cluster(workers: 3)
    let path = "\(cluster.folder.path)/x.png"
    let outcome = try Program.run(
      ["submit", "--coordinator", cluster.address] + TinyModels.small
        + ["-p", "a cat", "--steps", "300", "-o", path]
    ) { _ in
      usleep(300_000)
      cluster.workers[0].signal(SIGKILL)
      usleep(300_000)
      cluster.workers[1].signal(SIGSTOP)
    }
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try pixels(pictureBytes(path)) == pixels(picture("-p", "a cat", "--steps", "300")))
  }

  @Test func aWorkerIsDrainedBySIGTERM() async throws {
    let cluster = try await Cluster(workers: 1)
    cluster.workers[0].signal(SIGTERM)
    #expect(cluster.workers[0].end() == 0)
    cluster.coordinator.signal(SIGTERM)
    #expect(cluster.coordinator.end() == Status.terminated.rawValue)
  }

  // MARK: - What cannot be

  @Test func requestsThatCannotBeAreRefusedWithASentence() async throws {
    let cluster = try await Cluster(workers: 0)
    for (arguments, text) in [
      (["-p", "a cat", "-m", "unknown"], "The model \"unknown\" is not served here; there is flux-dev-tiny"),
      (["-p", "a cat", "--cache-option", "interval=x"], "interval"),
      (["--class-label", "3"], "takes prompts"), (["-p", "a cat", "-W", "3"], "too small"),
    ] {
      let outcome = try Program.run(
        ["submit", "--coordinator", cluster.address, "-o", "\(cluster.folder.path)/x.png"] + arguments)
      #expect(outcome.status == 2 && outcome.hasOneSentence && outcome.errors.contains(text), "\(outcome.errors)")
    }
  }

  @Test func commandsSayWhatIsWrongWithTheirOptions() throws {
    let folder = try TemporaryFolder()
    for (arguments, status, text) in [
      (["generate", "-p", "x", "--workers", "0"], 2, "--workers 0"),
      (["generate", "-p", "x", "--trace", "t.json"], 2, "--trace goes with --workers"),
      (["status", "--coordinator", "tcp://127.0.0.1:1"], 69, "There is no coordinator at tcp://127.0.0.1:1"),
      (["status", "--coordinator", "udp://127.0.0.1:1"], 2, "--coordinator: udp://127.0.0.1:1"),
      (["status", "--coordinator", "tcp://192.0.2.1:5"], 2, "needs --key and --coordinator-key"),
      (["worker", "--threads", "0"], 2, "--threads 0"), (["worker", "--memory", "lots"], 2, "--memory"),
      (["worker", "-m", "\(folder.path)/none"], 66, "none"),
      (["coordinator", "--listen", "tcp://0.0.0.0:0"], 2, "all interfaces"),
      (["coordinator", "--key", "x.secret"], 2, "--allow-list"),
      (["coordinator", "--key", "\(folder.path)/x.secret", "--allow-list", "\(folder.path)/x"], 66, "x.secret"),
    ] {
      let outcome = try Program.run(arguments)
      #expect(
        outcome.status == Int32(status) && outcome.hasOneSentence && outcome.errors.contains(text),
        "\(arguments): \(outcome.status) \(outcome.errors)")
    }
  }
}
