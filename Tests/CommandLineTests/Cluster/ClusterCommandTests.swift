import Foundation
import Media
import Messaging
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
    private let models: [String]
    private(set) var workers: [RunningProgram] = []

    init(workers count: Int, models: String...) async throws {
      self.models = (models.isEmpty ? [TinyModels.dev] : models).flatMap { ["-m", $0] }
      folder = try TemporaryFolder()
      try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.path)
      address = "ipc://\(folder.path)/c"
      coordinator = try RunningProgram(
        ["coordinator", "--listen", address, "--state", "\(folder.path)/state", "-o", "\(folder.path)/jobs"]
          + self.models)
      try await coordinator.says("Serving")
      for number in 0..<count { try await start("w\(number)") }
    }

    func start(_ name: String, roles: String = "stages") async throws {
      workers.append(
        try RunningProgram(
          ["worker", "--coordinator", address, "--name", name, "--threads", "1", "--gflops", "10", "--roles", roles]
            + models))
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

  // MARK: - Memory

  @Test func aWorkerTakesTheMemoryThatThePlanSays() async throws {
    let cluster = try await Cluster(workers: 1, models: "default")
    let picture = ["-m", "default", "--size", "384x384", "--steps", "6", "--cfg-scale", "1", "--dtype", "bf16"]
    let file = try cluster.folder.file(
      "workers.json", #"[{"name": "w0", "gflops": 10, "memory": "8 GB", "link": "1 Gbit/s"}]"#)
    let plan = try JSONValue(parsing: Program.run(["plan", "--json", "--workers", file] + picture).output)
    let planned = try #require(plan["stages"]?[0]?["memory_bytes"]?.int)
    let submission = try RunningProgram(
      ["submit", "--coordinator", cluster.address, "-p", "a dog", "-o", "\(cluster.folder.path)/x.png"] + picture)
    // Without holding a thread for which tests wait that have to be quick.
    while submission.process.isRunning { try await Task.sleep(for: .milliseconds(20)) }
    #expect(submission.end() == 0, "\(submission.errors)")
    let status = try String(
      contentsOfFile: "/proc/\(cluster.workers[0].process.processIdentifier)/status", encoding: .utf8)
    let peak = try #require(status.firstMatch(of: /VmHWM:\s+(\d+) kB/).flatMap { Int($0.1) }) * 1024
    #expect((planned * 9 / 10...planned * 11 / 10).contains(peak), "\(peak) bytes, planned were \(planned)")
  }

  // MARK: - Keys

  @Test func whoHasNotTheKeysIsNotLetInAndToldSo() async throws {
    let folder = try TemporaryFolder()
    try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: folder.path)
    for name in ["coordinator", "anna", "stranger"] {
      #expect(try Program.run("keys", "new", name, "--folder", folder.path).status == 0)
    }
    let list = "\(folder.path)/allowed"
    let allowed = try Program.run(
      "keys", "allow", "\(folder.path)/anna.public", "--role", "client", "--allow-list", list)
    #expect(allowed.status == 0, "\(allowed.errors)")
    let coordinator = try RunningProgram(
      "coordinator", "--listen", "ipc://\(folder.path)/c", "-m", TinyModels.dev, "--state", "\(folder.path)/state",
      "--key", "\(folder.path)/coordinator.secret", "--allow-list", list)
    try await coordinator.says("Serving")
    func status(_ name: String, of server: String) throws -> Program.Outcome {
      try Program.run(
        "status", "--coordinator", "ipc://\(folder.path)/c", "--key", "\(folder.path)/\(name).secret",
        "--coordinator-key", "\(folder.path)/\(server).public")
    }
    #expect(try status("anna", of: "coordinator").status == 0)
    for (name, server) in [("stranger", "coordinator"), ("anna", "stranger")] {
      let outcome = try status(name, of: server)
      #expect(outcome.status == 77 && outcome.hasOneSentence && outcome.errors.contains("key"), "\(outcome.errors)")
    }
    let plain = try Program.run("status", "--coordinator", "ipc://\(folder.path)/c")
    #expect(plain.status == 77 && plain.hasOneSentence && plain.errors.contains("key"), "\(plain.errors)")
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

  @Test(arguments: [
    (TinyModels.dev, ["-p", "a cat"], ["none", "clusca", "fbcache"]),
    (TinyModels.dit, ["--class-label", "3"], ["none", "clusca", "speca"]),
    (TinyModels.hunyuan, ["-p", "a cat", "--frames", "5"], ["none", "clusca", "teacache"]),
  ])
  func fourProcessesGiveThePixelsOfOne(model: String, subject: [String], caches: [String]) throws {
    let folder = try TemporaryFolder()
    let size = model == TinyModels.dit ? ["--steps", "9"] : TinyModels.small + ["--steps", "9"]
    for cache in caches {
      for workers in [[], ["--workers", "4"]] {
        let outcome = try Program.run(
          ["generate", "-m", model, "--cache", cache, "--cfg-scale", "2"] + subject + size + workers
            + ["-o", "\(folder.path)/\(cache)-\(workers.count)-%d.png"])
        #expect(outcome.status == 0, "\(outcome.errors)")
      }
      for frame in 0..<(model == TinyModels.hunyuan ? 5 : 1) {
        #expect(
          try pictureBytes("\(folder.path)/\(cache)-0-\(frame).png")
            == pictureBytes("\(folder.path)/\(cache)-2-\(frame).png"), "\(cache)")
      }
    }
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

  @Test func submitGivesTheVideosOfGenerate() async throws {
    let cluster = try await Cluster(workers: 2, models: TinyModels.hunyuan)
    let folder = cluster.folder.path
    let options = ["-p", "a cat", "--frames", "5", "--fps", "7.5", "--cfg-scale", "2", "--no-metadata"]
    let names = VideoFile.programPath == nil ? ["f-%04d.png"] : ["f-%04d.png", "x.mp4", "x.webp"]
    for name in names {
      for (kind, arguments) in [
        ("a", ["generate", "-m", TinyModels.hunyuan]), ("b", ["submit", "--coordinator", cluster.address]),
      ] {
        let outcome = try Program.run(arguments + TinyModels.small + options + ["-o", "\(folder)/\(kind)/\(name)"])
        #expect(outcome.status == 0, "\(outcome.errors)")
        #expect(outcome.output.split(separator: "\n").count == (name.contains("%") ? 5 : 1))
      }
    }
    let files = try FileManager.default.contentsOfDirectory(atPath: "\(folder)/a").sorted()
    #expect(try FileManager.default.contentsOfDirectory(atPath: "\(folder)/b").sorted() == files)
    #expect(files.count == 4 + names.count)
    for file in files { #expect(try pictureBytes("\(folder)/a/\(file)") == pictureBytes("\(folder)/b/\(file)")) }
    // With its settings a frame is rendered again by generate, and a manifest holds.
    let manifest = "\(folder)/m.json"
    let outcome = try cluster.submit(
      "-p", "a cat", "--frames", "5", "-o", "\(folder)/s-%d.png", "--manifest", manifest)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try TinyModels.settings("\(folder)/s-3.png")["frames"] == 5)
    let check = try Program.run("check", manifest, "-m", TinyModels.hunyuan)
    #expect(check.status == 0, "\(check.errors)")
  }

  @Test func aClassIsGivenByItsNameAndFindsTheModelThatHasIt() async throws {
    let cluster = try await Cluster(workers: 1, models: TinyModels.hunyuan, TinyModels.dit)
    let folder = cluster.folder.path
    let options = ["--class-label", "goldfish", "--steps", "4", "--seed", "3", "-o"]
    for arguments in [
      ["generate", "-m", TinyModels.dit] + options + ["\(folder)/a.png"],
      ["submit", "--coordinator", cluster.address] + options + ["\(folder)/b.png"],
    ] {
      let outcome = try Program.run(arguments)
      #expect(outcome.status == 0, "\(outcome.errors)")
    }
    #expect(try pixels(pictureBytes("\(folder)/a.png")) == pixels(pictureBytes("\(folder)/b.png")))
    let unknown = try Program.run(
      ["submit", "--coordinator", cluster.address, "--class-label", "goldfisch", "-o", "\(folder)/c.png"])
    #expect(unknown.status == 2 && unknown.hasOneSentence && unknown.errors.contains("goldfish"), "\(unknown.errors)")
  }

  @Test func promptsAndPixelsAreMadeByWorkersThatDoThese() async throws {
    let cluster = try await Cluster(workers: 1)
    try await cluster.start("parts", roles: "encode,decode")
    let path = "\(cluster.folder.path)/x.png"
    let outcome = try cluster.submit("-p", "a cat", "-n", "fog", "--cfg-scale", "2", "-o", path)
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(
      try pixels(pictureBytes(path)) == pixels(picture("-p", "a cat", "-n", "fog", "--cfg-scale", "2")))
    let workers = try cluster.status()["workers"]?.array ?? []
    #expect(workers.compactMap { $0["roles"]?.string } == ["encode,decode", "stages"])
    #expect(workers.compactMap { $0["tasks_done"]?.int } == [3, 0])
    // Without it the coordinator does the same, and when it is gone in the midst of it, too.
    cluster.workers[1].signal(SIGKILL)
    let again = try cluster.submit("-p", "a cat", "-n", "fog", "--cfg-scale", "2", "--force", "-o", path)
    #expect(again.status == 0, "\(again.errors)")
    #expect(
      try pixels(pictureBytes(path)) == pixels(picture("-p", "a cat", "-n", "fog", "--cfg-scale", "2")))
  }

  @Test func aNameThatDoesNotSuitTheFramesIsSaidBeforeTheWork() async throws {
    let cluster = try await Cluster(workers: 0, models: TinyModels.hunyuan)
    // The coordinator's model makes 61 frames unless told otherwise.
    let video = try cluster.submit("-p", "a cat", "-o", "\(cluster.folder.path)/x.png")
    #expect(video.status == 2 && video.hasOneSentence && video.errors.contains("61 frames"), "\(video.errors)")
    let picture = try cluster.submit("-p", "a cat", "--frames", "1", "-o", "\(cluster.folder.path)/x.mp4")
    #expect(picture.status == 2 && picture.errors.contains("a picture of one frame"), "\(picture.errors)")
    let impossible = try cluster.submit("-p", "a cat", "--frames", "6", "-o", "\(cluster.folder.path)/x-%d.png")
    #expect(impossible.status == 2 && impossible.errors.contains("makes 1, 5, 9"), "\(impossible.errors)")
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

  @Test func theEndOfAKilledWorkersConnectionIsNoticedBeforeItsSilence() async throws {
    let cluster = try await Cluster(workers: 2)
    cluster.workers[0].signal(SIGKILL)
    try await cluster.coordinator.says("The worker w0 is lost: its connection has ended")
    // A process that is stopped keeps its connection.
    cluster.workers[1].signal(SIGSTOP)
    try await cluster.coordinator.says("The worker w1 is lost: it has been silent")
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
      (["-p", String(repeating: "a", count: 8193)], "\"prompt\" has 8193 bytes, but a coordinator takes at most 8192"),
      (["-p", "a cat", "--frames", "5", "-o", "\(cluster.folder.path)/x-%d.png"], "makes pictures"),
    ] {
      let outcome = try Program.run(
        ["submit", "--coordinator", cluster.address, "-o", "\(cluster.folder.path)/x.png"] + arguments)
      #expect(outcome.status == 2 && outcome.hasOneSentence && outcome.errors.contains(text), "\(outcome.errors)")
    }
  }

  @Test func limitsArePrinted() throws {
    let outcome = try Program.run("coordinator", "--limits")
    #expect(outcome.status == 0 && outcome.output == Limits().description + "\n")
    for text in [
      "4096 bytes, 64 fields", "10000 jobs that have not ended, 67108864 bytes", "64 that say nothing", "3 in 600 s",
    ] {
      #expect(outcome.output.contains(text), "\(outcome.output)")
    }
  }

  @Test func unprotectedMessagesAreSaidOnBothEndsAndInThePicture() async throws {
    let folder = try TemporaryFolder()
    let coordinator = try RunningProgram(
      "coordinator", "--listen", "tcp://127.0.0.1:0", "--insecure-plaintext", "-m", TinyModels.dev, "-o",
      "\(folder.path)/jobs")
    try await coordinator.says("Messages are not protected")
    let address = "tcp://127.0.0.1:\(try await coordinator.port())"
    let worker = try RunningProgram(
      "worker", "--coordinator", address, "--insecure-plaintext", "--name", "w0", "-m", TinyModels.dev, "--gflops",
      "10")
    try await worker.says("Messages are not protected")
    let picture = "\(folder.path)/x.png"
    let outcome = try Program.run(
      ["submit", "--coordinator", address, "--insecure-plaintext", "-p", "a cat", "-o", picture]
        + TinyModels.small)
    #expect(outcome.status == 0 && outcome.errors.contains("Messages are not protected"), "\(outcome.errors)")
    #expect(try TinyModels.settings(picture)["transport"] == "plaintext")
  }

  @Test func commandsSayWhatIsWrongWithTheirOptions() throws {
    let folder = try TemporaryFolder()
    for (arguments, status, text) in [
      (["generate", "-p", "x", "--workers", "0"], 2, "--workers 0"),
      (["generate", "-p", "x", "--trace", "t.json"], 2, "--trace goes with --workers"),
      (["status", "--coordinator", "tcp://127.0.0.1:1"], 69, "There is no coordinator at tcp://127.0.0.1:1"),
      (["status", "--coordinator", "udp://127.0.0.1:1"], 2, "--coordinator: udp://127.0.0.1:1"),
      (["status", "--coordinator", "tcp://192.0.2.1:5"], 2, "needs --key and --coordinator-key"),
      (["worker", "--roles", "stages,paint"], 2, "--roles"), (["worker", "--link", "fast"], 2, "--link"),
      (["worker", "--advertise", "udp://h:1", "--link", "1GB/s"], 2, "--advertise: udp://h:1"),
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
