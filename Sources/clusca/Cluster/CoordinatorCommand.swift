import ArgumentParser
import Files
import Glibc
import Journaling
import Messaging
import RenderCluster
import Rendering
import Tensors

/// `clusca coordinator`: gives the work of clients to workers.
struct CoordinatorCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator",
    abstract: "Gives pictures that clients ask for to workers.",
    discussion: """
      Listens for workers (clusca worker) and clients (clusca submit, status, cancel) until it is told to stop. Prompts are \
      encoded and pixels decoded here; the transformer's blocks are with the workers. Without keys it listens on this \
      machine only. The allow-list is read again upon SIGHUP.

      Jobs are remembered in the folder --state: what was accepted is done, whatever happens to this process, when it is \
      started again with the same folder. Two coordinators cannot share one.
      """)

  @Option(
    help: ArgumentHelp(
      "Where it listens: tcp://HOST:PORT of one interface, or ipc://PATH. May be given several times. "
        + "tcp://127.0.0.1:\(ConnectionOptions.defaultPort) unless given.", valueName: "address"))
  var listen: [String] = []

  @Option(
    help: ArgumentHelp(
      "Where workers send results: a free port of the first --listen address unless given.", valueName: "address"))
  var outputs: String?

  @Option(help: ArgumentHelp("The coordinator's keys, made with clusca keys new.", valueName: "file.secret"))
  var key: String?

  @Option(help: ArgumentHelp("Who may connect: a line a key, name, role and key.", valueName: "file"))
  var allowList: String?

  @Flag(help: "Do without keys on any address: anybody on the network may read and forge everything.")
  var insecurePlaintext = false

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A model to serve: a folder in the layout of diffusers, or the name of a repository in the local Hugging Face cache. "
        + "May be given several times; requests that name none get the first. The small model that comes with clusca unless "
        + "given.", valueName: "model"),
    completion: .directory)
  var model: [String] = []

  @Option(
    help: ArgumentHelp(
      "The folder in which jobs are remembered. $XDG_STATE_HOME/clusca/coordinator or "
        + "~/.local/state/clusca/coordinator unless given.", valueName: "folder"), completion: .directory)
  var state: String?

  /// For tests: a journal that is small begins another segment soon.
  @Option(help: .hidden)
  var segmentBytes = Journal.segmentBytes

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "The folder for the pictures; the folder outputs beside the jobs unless given.", valueName: "folder"),
    completion: .directory)
  var output: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Threads for prompts and pixels; the processors that there are unless given.", valueName: "count"))
  var threads: Int?

  @Option(
    help: ArgumentHelp(
      "How many seconds workers go, in the mean, until one fails: what they keep of a picture is saved as often as is worth "
        + "it. 0 saves it before each full step. \(Int(CoordinatorIdentity.assumedSecondsBetweenFailures)) unless given.",
      valueName: "seconds"))
  var failureInterval: Double?

  @OptionGroup
  var replicaOptions: ReplicaOptions

  @Option(
    help: ArgumentHelp(
      "How many jobs of one client may wait and run; of more none is accepted until others have ended. "
        + "\(Limits().jobsOfAClient) unless given.", valueName: "jobs"))
  var quota: Int?

  @Option(help: ArgumentHelp("Write a Chrome trace of all workers' work to this file at the end.", valueName: "file"))
  var trace: String?

  @Flag(name: .shortAndLong, help: "Say nothing but errors.")
  var quiet = false

  @Flag(help: "Print what is bounded in what comes from the network, and by how much, and end.")
  var limits = false

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads \(threads) is not a number from 1 to 1024")
    }
    if let failureInterval, !(failureInterval >= 0 && failureInterval.isFinite) {
      throw ValidationError("--failure-interval \(failureInterval) is not a number of seconds")
    }
    if let quota, !(1...Limits().jobsOfAClient).contains(quota) {
      throw ValidationError("--quota \(quota) is not a number from 1 to \(Limits().jobsOfAClient)")
    }
    guard (key == nil) == (allowList == nil) else { throw ValidationError("--key and --allow-list go together") }
    guard key == nil || !insecurePlaintext else {
      throw ValidationError("--key and --insecure-plaintext exclude one another")
    }
  }

  func run() async throws {
    guard !limits else { return try StandardOutput.write(Limits().description) }
    OpenFiles.makeRoom(connections: 4 * PeerDirectory.maximumPeers)
    if let threads { ThreadPool.shared.setThreads(threads) }
    let endpoints = try addresses()
    let isQuiet = quiet
    let note: @Sendable (String) -> Void = { if !isQuiet { StandardError.write("clusca: \($0)") } }
    let security = try security()
    let state = try StateFolder(state, environment: Environment.variables).path
    let models = try ServedModel.open(model)
    if let trace { try AtomicFile.check(trace, ifExists: .overwrite, createFolders: true) }
    let outputs = JobOutputs(folder: output ?? "\(state)/outputs")
    try AtomicFile.check("\(outputs.folder)/job-1.png", ifExists: .number, createFolders: true)
    let chromeTrace = trace == nil ? nil : ChromeTrace()
    var record: (@Sendable (StageSpan) -> Void)?
    if let chromeTrace { record = { chromeTrace.add($0) } }
    var configuration = CoordinatorConfiguration(
      endpoints: endpoints, outputs: try outputsAddress(endpoints[0]), security: security,
      epoch: Self.secondsSince1970, build: try Version.build(),
      numerics: Messaging.Digest(try NumericsClass.current()),
      planning: ReplicaPlanner.planning(most: replicaOptions.most), note: note, trace: record)
    configuration.journal = journal(state, outputs)
    if let quota { configuration.jobsOfAClient = quota }
    if let failureInterval { configuration.secondsBetweenFailures = failureInterval }
    if let available = Memory.available { configuration.snapshotBytes = available / 4 }
    let coordinator = try await Coordinator.start(configuration)
    for endpoint in coordinator.endpoints { note("Listening on \(endpoint).") }
    note(
      "Serving \(models.map(\.name).joined(separator: ", ")); jobs are remembered in \(state), pictures go to \(outputs.folder)."
    )
    let desk = try JobDesk(
      coordinator, models, outputs: outputs, transport: insecurePlaintext ? "plaintext" : nil, note: note)
    let serving = Task { await desk.serve() }
    await withTaskCancellationHandler {
      await serving.value
    } onCancel: {
      Task { await coordinator.stop() }
    }
    if let trace, let chromeTrace {
      try AtomicFile.write(Array(chromeTrace.json.text().utf8), to: trace, ifExists: .overwrite, createFolders: true)
    }
    if let failure = await coordinator.failure { throw failure }
    try Task.checkCancellation()
  }

  /// The first epoch of a folder, so that workers which knew another folder's coordinator obey the newer one; from then on
  /// the journal counts.
  private static var secondsSince1970: UInt64 {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return UInt64(now.tv_sec)
  }

  private func journal(_ state: String, _ outputs: JobOutputs) -> CoordinatorConfiguration.JournalSettings {
    var settings = CoordinatorConfiguration.JournalSettings(
      folders: [state, outputs.folder], filesUpTo: outputs.lastJob,
      storage: { () throws(JournalError) in try FolderStorage(state) },
      failed: { error in
        // What is in memory may be ahead of the disk: nobody may see it.
        AtomicFile.abandonAll()
        StandardError.write("clusca: \(error); no job is lost: make room or mend the disk, and start it again.")
        _exit(ExitStatus.journal.rawValue)
      })
    settings.segmentBytes = max(1024, segmentBytes)
    settings.snapshots = "\(state)/snapshots"
    return settings
  }

  private func addresses() throws -> [Endpoint] {
    let texts = listen.isEmpty ? ["tcp://127.0.0.1:\(ConnectionOptions.defaultPort)"] : listen
    return try texts.map { text in
      do {
        return try Endpoint(text)
      } catch {
        throw CommandFailure(.usage, "--listen: \(error).")
      }
    }
  }

  private func outputsAddress(_ first: Endpoint) throws -> Endpoint {
    if let outputs {
      do {
        return try Endpoint(outputs)
      } catch {
        throw CommandFailure(.usage, "--outputs: \(error).")
      }
    }
    switch first {
    case .tcp(let host, _): return .tcp(host: host, port: 0)
    case .ipc(let path): return .ipc(path: path + "-outputs")
    }
  }

  private func security() throws -> CoordinatorConfiguration.Security {
    guard let key, let allowList else { return insecurePlaintext ? .insecurePlaintext : .plaintext }
    let keys = try KeyFiles.read(secret: key)
    let file = AllowListFile(allowList)
    let access = AccessControl(try file.read())
    Interruption.whenHungUp {
      do {
        access.list = try file.read()
        StandardError.write("clusca: The allow-list \(allowList) was read again.")
      } catch {
        StandardError.write("clusca: The allow-list in force stays: \(error).")
      }
    }
    return .curve(keys, access)
  }
}
