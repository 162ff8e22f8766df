import Foundation
import StrictJSON
import Testing

@testable import clusca

/// Jobs that were accepted, whatever happens to the coordinator's process.
@Suite(.timeLimit(.minutes(3)), .serialized) struct DurableCoordinatorTests {
  // MARK: - Crashes

  /// Places at which the process is killed, and the how-manieth time that it gets there.
  static let places = [
    "journal.write.before:1", "journal.write.before:2", "journal.write.before:4", "journal.write.after:2",
    "journal.write.after:4", "journal.sync.before:1", "journal.sync.before:2", "journal.sync.before:3",
    "journal.sync.before:4", "journal.sync.after:1", "journal.sync.after:2", "journal.sync.after:3",
    "journal.sync.after:4", "journal.snapshot.written:1", "journal.snapshot.synced:1", "journal.snapshot.renamed:1",
    "journal.snapshot.written:2", "journal.snapshot.synced:2", "journal.snapshot.renamed:2", "effect.before:1",
    "effect.before:8", "effect.after:9", "effect.before:20", "effect.before:30", "file.sync.before:1",
    "file.rename.before:1", "file.rename.after:1", "file.done:1", "file.rename.before:2", "file.done:2",
  ]

  @Test func aJobIsDoneOnceWhereverTheCoordinatorIsKilled() async throws {
    let reference = try DurableCoordinator.reference("-p", "a cat")
    for place in Self.places {
      let cluster = try DurableCoordinator()
      // So small that a job and what becomes of it begin another segment.
      try cluster.start(crash: place, segmentBytes: 1024)
      try cluster.startWorker()
      let outcome = try Program.run(
        ["submit", "--coordinator", cluster.address] + TinyModels.small
          + ["-p", "a cat", "-o", "\(cluster.folder.path)/x.png"]
      ) { _ in
        #expect(cluster.process?.end() == -SIGKILL, "\(place) is never reached")
        try cluster.start(segmentBytes: 1024)
      }
      #expect(outcome.status == 0, "\(place): \(outcome.errors) \(cluster.process?.errors ?? "")")
      #expect(try cluster.pixels("x.png") == reference, "\(place)")
      let jobs = try cluster.jobs()
      #expect(jobs.map { $0["state"]?.string } == ["done"], "\(place)")
      #expect(
        try Set(
          FileManager.default.contentsOfDirectory(atPath: "\(cluster.state)/outputs").filter { !$0.hasPrefix(".") })
          == ["job-1.png", "job-1.json"], "\(place)")
      cluster.kill()
    }
  }

  /// `CLUSCA_COORDINATOR_KILLS=200` for more.
  private static let kills =
    ProcessInfo.processInfo.environment["CLUSCA_COORDINATOR_KILLS"].flatMap(Int.init) ?? 20

  @Test func noAcceptedJobIsLostOverManyKills() async throws {
    let cluster = try DurableCoordinator()
    let address = cluster.address
    let isOver = ManagedFlag()
    let client = Task.detached { () -> [String] in
      var accepted: [String] = []
      var number = 0
      while !isOver.value {
        // The same key until it is answered, as a client does that must not ask twice.
        let outcome = try Program.run(
          ["submit", "--coordinator", address, "--detach", "--idempotency-key", "\(number)", "-p", "\(number)"])
        guard outcome.status == 0 else { continue }
        accepted.append(outcome.output)
        number += 1
      }
      return accepted
    }
    for round in 0..<Self.kills {
      try cluster.start(segmentBytes: 4096)
      try await cluster.serves()
      // Without a random number: it is where the client happens to be that differs.
      try await Task.sleep(for: .milliseconds(100 + 37 * round % 300))
      cluster.kill()
    }
    try cluster.start(segmentBytes: 4096)
    isOver.set()
    let accepted = try await client.value
    let known = try cluster.jobs().map { "\($0["id"]?.int ?? 0)\n" }
    #expect(Set(accepted).count == accepted.count)
    #expect(Set(accepted).isSubset(of: known))
    // The last request may have been accepted without an answer.
    #expect(known.count <= accepted.count + 1)
    #expect(accepted.count >= 5)
    print("\(accepted.count) jobs accepted over \(Self.kills) kills, none lost")
  }

  /// Each of the first synchronisations: of the beginning, of what is accepted and of what is done.
  @Test func aDiskThatFailsEndsTheCoordinatorAndNoAcceptedJobIsLost() throws {
    let reference = try DurableCoordinator.reference("-p", "a cat")
    for count in 1...6 {
      let cluster = try DurableCoordinator()
      try cluster.start(faults: ["CLUSCA_FAIL_AT": "journal.sync:\(count)"])
      try cluster.startWorker()
      var end: (status: Int32, errors: String)?
      for job in 1...2 {
        let outcome = try Program.run(
          ["submit", "--coordinator", cluster.address] + TinyModels.small
            + ["-p", "a cat", "-o", "\(cluster.folder.path)/\(job).png"]
        ) { client in
          while client.isRunning, end == nil {
            if let failed = cluster.process, !failed.process.isRunning {
              end = (failed.end(), failed.errors)
              try cluster.start()
            }
            usleep(2000)
          }
        }
        #expect(outcome.status == 0, "\(count): \(outcome.errors) \(cluster.process?.errors ?? "")")
        #expect(try cluster.pixels("\(job).png") == reference, "\(count)")
      }
      #expect(end?.status == Status.journal.rawValue, "\(count): \(end?.errors ?? "it has not ended")")
      let sentence = end?.errors.split(separator: "\n").last ?? ""
      #expect(sentence.contains("\(cluster.state)/journal-") && sentence.contains("written"), "\(count): \(sentence)")
      #expect(try cluster.jobs().map { $0["state"]?.string } == ["done", "done"], "\(count)")
      cluster.kill()
    }
  }

  @Test func everyAcceptedJobIsForcedToTheDisk() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    for number in 1...10 {
      #expect(try cluster.submit("-p", "\(number)", "--detach").output == "\(number)\n")
      let status = try JSONValue(parsing: cluster.client("status", "--json").output)
      #expect(status["journal"]?["synchronisations"]?.int ?? 0 >= number)
    }
  }

  @Test func aJobThatWasLeftAloneIsFetchedAfterARestart() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    try cluster.startWorker()
    #expect(try cluster.submit("-p", "a cat", "--detach").output == "1\n")
    #expect(try cluster.submit("-p", "a cat", "--seed", "7", "--detach").output == "2\n")
    for job in 1...2 { try await cluster.process?.says("Job \(job) of client: done") }
    cluster.kill()
    try cluster.start()
    let outcome = try cluster.client("fetch", "1", "2", "-o", "\(cluster.folder.path)/f-%d.png")
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(outcome.output == "\(cluster.folder.path)/f-1.png\n\(cluster.folder.path)/f-2.png\n")
    #expect(try cluster.pixels("f-1.png") == DurableCoordinator.reference("-p", "a cat"))
    #expect(try cluster.pixels("f-2.png") == DurableCoordinator.reference("-p", "a cat", "--seed", "7"))
    let jobs = try cluster.jobs()
    #expect(jobs.map { $0["attempts"]?.int } == [1, 1])
    // A picture that is not what it was is not handed out.
    try Data("x".utf8).write(to: URL(filePath: "\(cluster.state)/outputs/job-1.png"))
    let changed = try cluster.client("fetch", "1", "-o", "\(cluster.folder.path)/g.png")
    #expect(changed.status == 66 && changed.hasOneSentence && changed.errors.contains("job-1.png"), "\(changed.errors)")
  }

  @Test func aJobIsRenderedByTheModelForWhichItWasAcceptedWhateverIsServedLater() throws {
    let cluster = try DurableCoordinator()
    let models = [TinyModels.dev, TinyModels.hunyuan]
    try cluster.start(models: models)
    // Of the first model, as it names none.
    #expect(try cluster.submit("-p", "a cat", "--detach").output == "1\n")
    cluster.kill()
    try cluster.start(models: models.reversed())
    try cluster.startWorker(models: models)
    #expect(try cluster.fetchedPixels(1) == DurableCoordinator.reference("-p", "a cat"))
    #expect(try cluster.jobs("1").first?["model"] == "flux-dev-tiny")
  }

  // MARK: - Commands

  @Test func theSameKeyIsTheSameJobAndAnotherRequestUnderItIsRefused() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    for _ in 0..<2 {
      #expect(try cluster.submit("-p", "a cat", "--detach", "--idempotency-key", "k").output == "1\n")
    }
    cluster.kill()
    try cluster.start()
    #expect(try cluster.submit("-p", "a cat", "--detach", "--idempotency-key", "k").output == "1\n")
    let other = try cluster.submit("-p", "a dog", "--detach", "--idempotency-key", "k")
    #expect(other.status == 2 && other.hasOneSentence && other.errors.contains("job 1"), "\(other.errors)")
    let random = try cluster.submit("-p", "a cat", "--seed", "-1", "--idempotency-key", "k")
    #expect(random.status == 2 && random.hasOneSentence && random.errors.contains("--idempotency-key"))
  }

  @Test func jobsArePausedResumedRequeuedAndForgotten() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    try cluster.startWorker()
    #expect(try cluster.submit("-p", "a cat", "--steps", "1200", "--detach").output == "1\n")
    #expect(try cluster.client("jobs pause", "1").output == "1\n")
    // It does not stand in the way of another.
    #expect(try cluster.submit("-p", "a dog", "-o", "\(cluster.folder.path)/dog.png").status == 0)
    #expect(try cluster.jobs("--state", "paused").map { $0["id"]?.int } == [1])
    #expect(try cluster.client("jobs priority", "--priority", "5", "1").status == 0)
    cluster.kill()
    try cluster.start()
    #expect(try cluster.jobs("1").first?["priority"]?.int == 5)
    #expect(try cluster.client("jobs resume", "1").status == 0)
    let fetched = try cluster.client("fetch", "1", "-o", "\(cluster.folder.path)/cat.png")
    #expect(fetched.status == 0, "\(fetched.errors)")
    #expect(try cluster.pixels("cat.png") == DurableCoordinator.reference("-p", "a cat", "--steps", "1200"))

    #expect(try cluster.submit("-p", "a house", "--steps", "10000", "--detach").output == "3\n")
    #expect(try cluster.client("cancel", "3").status == 0)
    #expect(try cluster.client("jobs requeue", "3").status == 0)
    #expect(try cluster.client("cancel", "3").status == 0)
    for (arguments, text) in [
      (["requeue", "1"], "Job 1 is done"), (["pause", "3"], "has ended"), (["pause", "9"], "no job 9"),
    ] {
      let outcome = try cluster.client("jobs " + arguments[0], arguments[1])
      #expect(outcome.status == 2 && outcome.hasOneSentence && outcome.errors.contains(text), "\(outcome.errors)")
    }
    #expect(try cluster.client("jobs forget", "1", "3").output == "1\n3\n")
    #expect(try cluster.jobs().map { $0["id"]?.int } == [2])
    let outputs = try FileManager.default.contentsOfDirectory(atPath: "\(cluster.state)/outputs")
    #expect(outputs.sorted() == ["job-2.json", "job-2.png"])
    let table = try cluster.client("jobs").output
    #expect(table.hasPrefix("job  client") && table.contains("done"))
  }

  @Test func aPausedJobWithoutACacheGoesOnWithTheSameBits() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    try cluster.startWorker()
    let arguments = ["-p", "a cat", "--cache", "none", "--steps", "600"]
    #expect(
      try Program.run(
        ["submit", "--coordinator", cluster.address] + TinyModels.small + arguments + ["--detach"]
      ).output == "1\n")
    for _ in 0..<3 {
      try await Task.sleep(for: .milliseconds(100))
      #expect(try cluster.client("jobs pause", "1").status == 0)
      #expect(try cluster.client("jobs resume", "1").status == 0)
    }
    let fetched = try cluster.client("fetch", "1", "-o", "\(cluster.folder.path)/cat.png")
    #expect(fetched.status == 0, "\(fetched.errors)")
    #expect(
      try cluster.pixels("cat.png") == DurableCoordinator.reference("-p", "a cat", "--cache", "none", "--steps", "600"))
    #expect(try cluster.jobs("1").first?["attempts"]?.int ?? 0 > 1)
  }

  /// It is killed when it has written its second snapshot of each row.
  @Test(arguments: [["-p", "a cat"], ["-p", "a cat", "--cfg-scale", "2", "--cache", "teacache"]])
  func aJobGoesOnFromItsLastSnapshotAfterARestart(arguments: [String]) throws {
    let cluster = try DurableCoordinator()
    let request = arguments + ["--steps", "40"]
    let rows = arguments.contains("--cfg-scale") ? 2 : 1
    try cluster.start(crash: "file.done:\(2 * rows)", more: "--failure-interval", "0")
    try cluster.startWorker()
    let submitted = try Program.run(
      ["submit", "--coordinator", cluster.address] + TinyModels.small + request + ["--detach"])
    #expect(submitted.output == "1\n", "\(submitted.errors)")
    #expect(cluster.process?.end() == -SIGKILL)
    #expect(try cluster.snapshots() == (0..<rows).map { "job-1-row-\($0).snapshot" })
    // So that nothing is held of it but what is on the disk.
    try cluster.replaceWorker(0)
    try cluster.start(more: "--failure-interval", "0")
    let fetched = try cluster.client("fetch", "1", "-o", "\(cluster.folder.path)/cat.png")
    #expect(fetched.status == 0, "\(fetched.errors)")
    for row in 0..<rows {
      #expect(cluster.process?.errors.contains("There is a snapshot of job 1, row \(row)") == true)
    }
    #expect(try cluster.pixels("cat.png") == DurableCoordinator.reference(request))
    cluster.process?.signal(SIGTERM)
    #expect(cluster.process?.end() == 143)
    #expect(try cluster.snapshots() == [])
  }

  /// Without any snapshot.
  @Test(arguments: [["-p", "a cat"], ["-p", "a cat", "--cfg-scale", "2"]])
  func aCoordinatorThatIsStartedAgainGoesOnWithWhatItsWorkersHold(arguments: [String]) async throws {
    let cluster = try DurableCoordinator()
    let request = arguments + ["--steps", "300"]
    let rows = arguments.contains("--cfg-scale") ? 2 : 1
    try cluster.start(more: "--replicas", "1")
    // Each stands still once, so that the coordinator is killed while it does.
    let goesOn = (0..<2).map { "\(cluster.folder.path)/goes-on-\($0)" }
    let workers = try [20, 100].enumerated().map { index, step in
      try cluster.startWorker(
        faults: ["CLUSCA_HANG_AT": "stage.compute.before:\(step * rows)", "CLUSCA_HANG_UNTIL": goesOn[index]])
    }
    for worker in workers.indices { try await cluster.process?.says("The worker w\(worker) is here") }
    let submitted = try Program.run(
      ["submit", "--coordinator", cluster.address] + TinyModels.small + request + ["--detach"])
    #expect(submitted.output == "1\n", "\(submitted.errors)")
    var answered = 0
    let trace = "\(cluster.folder.path)/trace.json"
    for (worker, file) in zip(workers, goesOn) {
      try await worker.says("stage.compute.before hangs")
      cluster.kill()
      answered = (0..<rows).map { cluster.answers(row: $0) }.min() ?? 0
      try Data().write(to: URL(filePath: file))
      try cluster.start(more: "--replicas", "1", "--trace", trace)
    }
    #expect(answered > 20)
    let fetched = try cluster.client("fetch", "1", "-o", "\(cluster.folder.path)/cat.png")
    #expect(fetched.status == 0, "\(fetched.errors)")
    #expect(try cluster.pixels("cat.png") == DurableCoordinator.reference(request))
    #expect(try cluster.snapshots() == [])
    for row in 0..<rows {
      #expect(
        cluster.process?.errors.contains("Job 1, row \(row) is adopted") == true, "\(cluster.process?.errors ?? "")")
    }
    cluster.process?.signal(SIGTERM)
    #expect(cluster.process?.end() == 143)
    // No stage has computed a step that had been answered before.
    let events = try JSONValue(parsing: String(contentsOfFile: trace, encoding: .utf8))["traceEvents"]?.array ?? []
    let steps = events.compactMap { $0["args"]?["step"]?.int }
    #expect(steps.min() ?? 0 >= answered, "\(answered) orders were answered; \(cluster.process?.errors ?? "")")
    #expect(Set(steps).count <= 600 && !steps.isEmpty)
    let stages = Dictionary(grouping: events.filter { $0["args"]?["step"] != nil }) {
      [$0["args"]?["row"]?.int, $0["args"]?["stage"]?.int, $0["args"]?["step"]?.int]
    }
    #expect(stages.values.allSatisfy { $0.count == 1 }, "a step was done twice")
  }

  /// At cached steps every stage begins with the latents.
  @Test func aCoordinatorMayDieWhenOnlyTheFirstStageHasTheLatents() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start(faults: ["CLUSCA_HANG_AT": "latents.first.sent:9"], more: "--replicas", "1")
    for _ in 0..<2 { try cluster.startWorker() }
    for worker in 0..<2 { try await cluster.process?.says("The worker w\(worker) is here") }
    #expect(try cluster.submit("-p", "a cat", "--steps", "40", "--detach").output == "1\n")
    try await cluster.process?.says("latents.first.sent hangs")
    // The first stage does the step meanwhile, and hands on what it has changed.
    try await Task.sleep(for: .milliseconds(300))
    cluster.kill()
    try cluster.start(more: "--replicas", "1")
    let fetched = try cluster.client("fetch", "1", "-o", "\(cluster.folder.path)/cat.png")
    #expect(fetched.status == 0, "\(fetched.errors)")
    #expect(try cluster.pixels("cat.png") == DurableCoordinator.reference("-p", "a cat", "--steps", "40"))
    // The stages are not at the same step, and never will be.
    #expect(cluster.process?.errors.contains("it cannot be gone on with") == true, "\(cluster.process?.errors ?? "")")
  }

  @Test func aDamagedSnapshotCostsStepsAndNoPicture() throws {
    let cluster = try DurableCoordinator()
    try cluster.start(crash: "file.done:2", more: "--failure-interval", "0")
    try cluster.startWorker()
    #expect(try cluster.submit("-p", "a cat", "--steps", "40", "--detach").output == "1\n")
    #expect(cluster.process?.end() == -SIGKILL)
    let path = "\(cluster.state)/snapshots/job-1-row-0.snapshot"
    var bytes = try Data(contentsOf: URL(filePath: path))
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(filePath: path))
    try cluster.start()
    let fetched = try cluster.client("fetch", "1", "-o", "\(cluster.folder.path)/cat.png")
    #expect(fetched.status == 0, "\(fetched.errors)")
    #expect(cluster.process?.errors.contains("The snapshot of job 1, row 0 cannot be used") == true)
    #expect(try cluster.pixels("cat.png") == DurableCoordinator.reference("-p", "a cat", "--steps", "40"))
  }

  /// How far jobs have ever come.
  private struct Progress {
    private var furthest: [Int: Int] = [:]

    /// Whether one of them has come further than it was before, or has ended.
    mutating func hasBeenMade(_ cluster: DurableCoordinator) -> Bool {
      guard let status = try? cluster.client("status", "--json"), status.status == 0,
        let jobs = try? JSONValue(parsing: status.output)["jobs"]?.array
      else { return false }
      let steps = Dictionary(
        jobs.compactMap { job in job["id"]?.int.map { ($0, job["steps_done"]?.int ?? 0) } }, uniquingKeysWith: max)
      let ended = furthest.keys.filter { steps[$0] == nil }
      let further = steps.filter { $0.value > furthest[$0.key] ?? 0 }
      for job in ended { furthest[job] = nil }
      furthest.merge(further) { $1 }
      return !ended.isEmpty || !further.isEmpty
    }
  }

  @Test func picturesAreTheSameWhateverIsKilled() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    for _ in 0..<3 { try cluster.startWorker() }
    let prompts = try cluster.folder.file("prompts.txt", (0..<8).map { "picture \($0)" }.joined(separator: "\n"))
    var (kills, progress) = (0, Progress())
    let outcome = try Program.run(
      ["submit", "--coordinator", cluster.address] + TinyModels.small
        + ["--steps", "250", "--prompts-file", prompts, "-o", "\(cluster.folder.path)/%d.png"]
    ) { client in
      while client.isRunning, kills < 40 {
        usleep(350_000)
        // On a busy machine workers would be lost faster than they get anywhere, and jobs quarantined for it, rightly.
        guard progress.hasBeenMade(cluster) else { continue }
        if kills % 4 == 3 {
          cluster.kill()
          try cluster.start()
        } else {
          try cluster.replaceWorker(kills % 3)
        }
        kills += 1
      }
    }
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(kills >= 4)
    for index in 0..<8 {
      #expect(
        try cluster.pixels("\(index).png") == DurableCoordinator.reference("--steps", "250", "-p", "picture \(index)"))
    }
    #expect(try cluster.jobs("--state", "done").count == 8)
  }

  // MARK: - Folders

  @Test func twoCoordinatorsDoNotShareAFolder() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    try await cluster.serves()
    let second = try Program.run(
      "coordinator", "--listen", "ipc://\(cluster.folder.path)/d", "-m", TinyModels.dev, "--state", cluster.state)
    #expect(second.status == 75 && second.hasOneSentence && second.errors.contains(cluster.state), "\(second.errors)")
  }

  @Test func aStateFolderThatCannotBeWrittenIsNamed() throws {
    let folder = try TemporaryFolder()
    let state = "\(folder.path)/state"
    for path in [folder.path, state] {
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      try FileManager.default.setAttributes([.posixPermissions: 0o700], ofItemAtPath: path)
    }
    try FileManager.default.setAttributes([.posixPermissions: 0o500], ofItemAtPath: state)
    // Permissions bind root, too, when it does without one of its privileges.
    let asAnyUser = geteuid() == 0 ? "setpriv --bounding-set=-dac_override --inh-caps=-dac_override" : ""
    for (outputs, status, text) in [
      ("\(state)/outputs", Status.output, "\(state)/outputs/job-1.png"), (folder.path, Status.journal, "\(state)/lock"),
    ] {
      let outcome = try Program.runShell(
        "exec \(asAnyUser) \"$0\" coordinator --listen \"ipc://$1/c\" -m \"$2\" --state \"$3\" -o \"$4\"", folder.path,
        TinyModels.dev, state, outputs)
      #expect(outcome.status == status.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
      #expect(outcome.errors.contains(text) && outcome.errors.contains("permission"), "\(outcome.errors)")
    }
  }

  @Test func aDamagedJournalIsNamedWithTheJobsBehindTheDamage() async throws {
    let cluster = try DurableCoordinator()
    try cluster.start()
    for _ in 0..<3 { #expect(try cluster.submit("-p", "a cat", "--detach").status == 0) }
    cluster.kill()
    let path = "\(cluster.state)/journal-00000001.log"
    let sound = try Program.run("journal", "verify", "--state", cluster.state)
    #expect(sound.status == 0 && sound.output.contains("\(path) is whole."), "\(sound.errors)")
    #expect(sound.output.contains("Jobs: 3 waiting."))
    let json = try JSONValue(parsing: Program.run("journal", "verify", "--state", cluster.state, "--json").output)
    #expect(json["jobs"] == ["waiting": 3] && json["torn_at"] == .null && json["file"]?.string == path)
    var bytes = try Data(contentsOf: URL(filePath: path))
    // In the first record.
    bytes[60] ^= 1
    try bytes.write(to: URL(filePath: path))
    for arguments in [["coordinator", "--listen", cluster.address, "-m", TinyModels.dev], ["journal", "verify"]] {
      let outcome = try Program.run(arguments + ["--state", cluster.state])
      #expect(outcome.status == 66 && outcome.hasOneSentence, "\(outcome.errors)")
      #expect(outcome.errors.contains("\(path) is damaged at byte 48") && outcome.errors.contains("the jobs 1, 2, 3"))
    }
  }

  /// On a file system of its own, where the system allows one to be mounted.
  @Test func aFullDiskTakesNoJobsUntilItHasRoom() async throws {
    let cluster = try DurableCoordinator()
    try FileManager.default.createDirectory(atPath: cluster.state, withIntermediateDirectories: true)
    guard try Self.run("mount", "-t", "tmpfs", "-o", "size=2m,mode=700", "tmpfs", cluster.state) else { return }
    defer { _ = try? Self.run("umount", "-l", cluster.state) }
    try cluster.start()
    try cluster.startWorker()
    #expect(try cluster.submit("-p", "a cat", "--steps", "1000", "--detach").output == "1\n")
    try Data(count: 1_900_000).write(to: URL(filePath: "\(cluster.state)/filler"))
    try await cluster.process?.says("The disk is full")
    let refused = try cluster.submit("-p", "a dog")
    #expect(
      refused.status == 75 && refused.hasOneSentence && refused.errors.contains("disk is full"), "\(refused.errors)")
    try FileManager.default.removeItem(atPath: "\(cluster.state)/filler")
    try await cluster.process?.says("The disk has room again")
    #expect(try cluster.submit("-p", "a dog", "-o", "\(cluster.folder.path)/dog.png").status == 0)
    #expect(try cluster.client("fetch", "1", "-o", "\(cluster.folder.path)/cat.png").status == 0)
    cluster.kill()
  }

  private static func run(_ arguments: String...) throws -> Bool {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus == 0
  }
}
