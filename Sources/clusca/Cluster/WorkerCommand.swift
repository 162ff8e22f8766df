import ArgumentParser
import Glibc
import Measuring
import Messaging
import RenderCluster
import Rendering
import Tensors

/// `clusca worker`: computes blocks for a coordinator.
struct WorkerCommand: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker",
    abstract: "Computes some blocks of a model for a coordinator.",
    discussion: """
      Connects to the coordinator, now or when it is there, and computes what it is given until it is let go. The \
      coordinator must be of the same build, the processor of the same numerics class (clusca doctor shows it), and the \
      models the same: they are found by the digest of their weights. SIGTERM or Ctrl-C drains the worker: it ends when \
      nothing depends on it any more; a second one ends it at once.
      """)

  @OptionGroup(title: "Connection")
  var connection: ConnectionOptions

  @Option(
    help: ArgumentHelp(
      "Where tensors from the coordinator and other workers are taken; a free port of the address from which the "
        + "coordinator is reached unless given.", valueName: "address"))
  var listen: String?

  @Option(
    help: ArgumentHelp(
      "The address by which others reach that of --listen, where it is another, as in a container.",
      valueName: "address"))
  var advertise: String?

  @Option(help: ArgumentHelp("The worker's name; that of its key or of this machine unless given.", valueName: "name"))
  var name: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "A model that it may get blocks of: a folder in the layout of diffusers, or the name of a repository in the local "
        + "Hugging Face cache. May be given several times. The small model that comes with clusca unless given.",
      valueName: "model"),
    completion: .directory)
  var model: [String] = []

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Threads to compute with; the processors that there are unless given.", valueName: "count"))
  var threads: Int?

  @Option(
    help: ArgumentHelp("The memory that it may use, such as 16GB; what is available unless given.", valueName: "bytes"))
  var memory: ByteAmount?

  @Option(help: ArgumentHelp("Its speed, for the first plan; measured unless given.", valueName: "number"))
  var gflops: Double?

  @Option(
    help: ArgumentHelp(
      "The speed of its link to the others, such as 1Gbit/s, for the plans; measured unless given.", valueName: "rate"))
  var link: LinkSpeed?

  @Option(
    help: ArgumentHelp(
      "What it does, with commas in between: stages (blocks of transformers), encode (prompts), decode (pixels). What no "
        + "worker does, the coordinator does itself.", valueName: "roles"))
  var roles = WorkerRoles.stages

  @Flag(name: .shortAndLong, help: "Say nothing but errors.")
  var quiet = false

  @Flag(help: .hidden)
  var endWithInput = false

  func validate() throws {
    if let threads, !(1...1024).contains(threads) {
      throw ValidationError("--threads \(threads) is not a number from 1 to 1024")
    }
    if let gflops, !(1e-3...1e9).contains(gflops) {
      throw ValidationError("--gflops \(gflops) is not a number from 0.001 to 1000000000")
    }
  }

  func run() async throws {
    if endWithInput { StandardInput.endProcessWithIt() }
    OpenFiles.makeRoom(connections: PeerDirectory.maximumPeers)
    if let threads { ThreadPool.shared.setThreads(threads) }
    let (keyName, security) = try connection.identity()
    if let name, let keyName, name != keyName {
      throw CommandFailure(.usage, "--name \(name) is not the name of the key, \(keyName).")
    }
    let endpoint = try connection.endpoint()
    let (isQuiet, models) = (quiet, try ServedModel.open(model))
    guard let available = memory?.bytes ?? Memory.available else {
      throw CommandFailure(.usage, "This system does not say how much memory there is; give --memory.")
    }
    let roles = roles
    var configuration = WorkerConfiguration(
      name: name ?? keyName ?? HostName.short, coordinator: endpoint, address: try address(for: endpoint),
      security: security, build: try Version.build(), numerics: Messaging.Digest(try NumericsClass.current()),
      models: try models.map { try $0.workerModel(roles) }, threads: ThreadPool.shared.threads, memoryBytes: available,
      operationsPerSecond: try gflops.map { $0 * 1e9 } ?? SpeedProbe.operationsPerSecond(),
      residentBytes: { ProcessMemory.resident ?? 0 }, note: { if !isQuiet { StandardError.write("clusca: \($0)") } })
    configuration.roles = roles
    configuration.advertised = try advertise.map { text in
      do {
        return try Endpoint(text)
      } catch {
        throw CommandFailure(.usage, "--advertise: \(error).")
      }
    }
    configuration.bytesPerSecond = link?.bytesPerSecond
    let worker = Worker(configuration)
    do {
      try await Interruption.draining(by: { worker.drain() }, { try await worker.run() })
    } catch let failure as Worker.Failure {
      throw CommandFailure(.refused, failure.description)
    }
  }

  private func address(for coordinator: Endpoint) throws -> Endpoint {
    if let listen {
      do {
        return try Endpoint(listen)
      } catch {
        throw CommandFailure(.usage, "--listen: \(error).")
      }
    }
    switch coordinator {
    case .ipc(let path): return .ipc(path: "\(path)-\(getpid())")
    case .tcp(let host, let port):
      guard let own = OwnAddress.towards(host, port: port) else {
        throw CommandFailure(
          .input, "\(coordinator) cannot be reached from here: the name is unknown or there is no route; see --listen.")
      }
      return .tcp(host: own, port: 0)
    }
  }
}

extension WorkerRoles: ExpressibleByArgument {
  public init?(argument: String) { self.init(words: argument) }
  public var defaultValueDescription: String { words }
}

/// Bytes a second as people write them: `1Gbit/s`, `120 MB/s`.
struct LinkSpeed: ExpressibleByArgument, Sendable, Equatable {
  let bytesPerSecond: Double

  init?(argument: String) {
    guard let rate = Quantity.bytesPerSecond(.string(argument)), rate >= 1, rate < 1e15 else { return nil }
    bytesPerSecond = rate
  }
}
