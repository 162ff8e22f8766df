import Files
import Messaging
import Rendering
import Tensors
import Transformers

/// A worker: holds some blocks of a model and computes the steps of many samples with them. ``WorkerCore`` decides; this
/// exchanges values between it, the sockets and the stage.
public actor Worker {
  /// Why a worker ends before it was let go.
  public struct Failure: Error, Sendable, CustomStringConvertible {
    public let description: String
  }

  enum Incoming: Sendable {
    case control(ClientEvent)
    case tensor(TensorServer.Event)
    case loaded(attempt: UInt32, epoch: UInt64, Result<LoadedStage, any Error>)
    case opened(SampleKey, SampleID, failure: String?)
    case computed(StageOutcome)
    case summed(StageOutcome, Result<[Tensor], any Error>)
    case snapshot(TakenSnapshot)
    case restored(SampleKey, SampleID, failure: String?)
    case performed(attempt: UInt32, epoch: UInt64, Result<TaskOutcome, any Error>)
    case drain
  }

  let configuration: WorkerConfiguration
  private let incarnation = Clock.date
  private let access = AccessControl(AllowList())
  private let events: AsyncStream<Incoming>
  let post: AsyncStream<Incoming>.Continuation
  var core = WorkerCore()
  var tensors: TensorServer?
  private var control: MessageClient?
  var stage: LoadedStage?
  var cacheBytes = 0
  private var loading: Task<Void, Never>?
  var samples: [SampleKey: WorkerSample] = [:]
  /// Full steps that are computed, but whose forecasts are not summed yet.
  var unreported: [SampleKey: StageOutcome] = [:]
  /// Counts the openings of samples.
  var openings = 0
  /// What is done beside the stage, by attempt.
  var tasks: [UInt32: WorkerTask] = [:]
  /// What the coordinator is going to expect.
  var snapshots: [SampleKey: TakenSnapshot] = [:]
  /// Those that may still be on their way.
  var sentSnapshots: [(key: SampleKey, attempt: UInt32, step: UInt32, time: Int64)] = []
  /// To the coordinator's address for outputs.
  var resultLine: (neighbour: Assignment.Neighbour, line: TensorLine)?
  private var helloSent: Int64?
  private var hasLeft = false
  private var failure: (any Error)?

  private static let tickMilliseconds = 250
  private static let helloPatienceMicroseconds: Int64 = 2_000_000

  public init(_ configuration: WorkerConfiguration) {
    self.configuration = configuration
    (events, post) = AsyncStream.makeStream(of: Incoming.self)
  }

  /// Lets the coordinator know that this worker wants to go; ``run()`` returns when nothing depends on it any more.
  public nonisolated func drain() { post.yield(.drain) }

  /// Works until the coordinator lets the worker go, or the task is cancelled.
  ///
  /// - Throws: ``Failure`` if the coordinator refuses it; `CancellationError`; what is wrong with addresses and keys.
  public func run() async throws {
    do {
      let post = post
      tensors = try await TensorServer.start(at: configuration.address, security: configuration.security.server(access))
      {
        post.yield(.tensor($0))
      }
      enlist(previous: nil, 0)
      let client = ClientConfiguration(
        endpoint: configuration.coordinator, security: configuration.security.client(nil),
        tickMilliseconds: Self.tickMilliseconds)
      control = try await MessageClient.start(client) { event, _ in post.yield(.control(event)) }
      await withTaskCancellationHandler {
        for await event in events {
          await take(event)
          if hasLeft || failure != nil { break }
        }
      } onCancel: {
        post.finish()
      }
    } catch {
      await stop()
      throw error
    }
    await stop()
    if let failure { throw failure }
    try Task.checkCancellation()
  }

  private func stop() async {
    loading?.cancel()
    await unload()
    dropTasks()
    await resultLine?.line.close()
    await control?.stop()
    await tensors?.stop()
  }

  private func take(_ event: Incoming) async {
    switch event {
    case .control(let event): await take(event)
    case .tensor(.arrived(let arrival)): await take(arrival)
    case .tensor(.lost(let fence, let reason)):
      await fail(fence, StageFailure(.tensor, "a tensor was lost: \(reason)"))
    case .tensor(.failed(let reason)): failure = Failure(description: "The socket for tensors failed: \(reason).")
    case .tensor(.opened(let error)): failure = error
    case .tensor(.note(let text)): configuration.note(text)
    case .loaded(let attempt, let epoch, let result): await finishLoading(attempt, epoch, result)
    // Attempts are numbered anew by another coordinator: it is the opening that these have to be of.
    case .opened(let key, let id, let failure):
      guard let attempt = attempt(key, id) else { break }
      await apply(
        failure.map { .failed(key, attempt: attempt, step: 0, StageFailure(.request, $0)) }
          ?? .conditionArrived(key, attempt: attempt))
    case .computed(let outcome): await finish(outcome)
    case .summed(let outcome, let sums): await finish(outcome, sums)
    case .snapshot(let taken): await keep(taken)
    case .restored(let key, let id, let failure):
      guard let attempt = attempt(key, id) else { break }
      await apply(
        failure.map { .failed(key, attempt: attempt, step: 0, StageFailure(.internal, $0)) }
          ?? .restored(key, attempt: attempt))
    case .performed(_, let epoch, _) where epoch != core.fence.epoch: break
    case .performed(let attempt, _, let result): await finish(attempt, result)
    case .drain: await apply(.drain)
    }
  }

  /// That of a sample if it is of this opening still.
  private func attempt(_ key: SampleKey, _ id: SampleID) -> UInt32? {
    samples[key].flatMap { $0.id == id ? $0.attempt : nil }
  }

  /// Tells the core, and does what it says.
  func apply(_ event: WorkerEvent) async {
    for effect in core.handle(event, now: Clock.microseconds) { await perform(effect) }
  }

  // MARK: - The coordinator

  private func take(_ event: ClientEvent) async {
    switch event {
    case .ready: sayHello()
    case .message(let message, let payload): await take(message, payload)
    case .tick:
      dropOldSnapshots()
      if let helloSent, Clock.microseconds - helloSent > Self.helloPatienceMicroseconds { sayHello() }
      await apply(.tick)
    case .failed(let reason): failure = Failure(description: "The connection to the coordinator failed: \(reason).")
    case .refused:
      configuration.note("The coordinator at \(configuration.coordinator) does not let this worker's key in.")
    case .insecure: configuration.note("Messages are not protected: anybody on the network may read and forge them.")
    case .brokenOff:
      configuration.note(
        "The coordinator at \(configuration.coordinator) breaks off the handshake: it has another key, or is gone.")
    case .malformed(let error): configuration.note("A message of the coordinator is malformed: \(error).")
    case .disconnected: break
    }
  }

  private func sayHello() {
    helloSent = Clock.microseconds
    let hello = Hello(
      build: configuration.build, role: .worker, name: configuration.name, incarnation: incarnation,
      numerics: configuration.numerics, threads: UInt32(configuration.threads),
      memoryBytes: UInt64(configuration.memoryBytes), models: configuration.models.map(\.digest),
      address: (configuration.advertised ?? tensors?.endpoint)?.description ?? "",
      operationsPerSecond: UInt64(configuration.operationsPerSecond),
      roles: configuration.roles, bytesPerSecond: UInt64(configuration.bytesPerSecond ?? 0))
    send(Message(.hello(hello)), .empty)
  }

  private func send(_ message: Message, _ payload: Payload) {
    control?.post { $0.send(message, payload) }
  }

  private func take(_ message: Message, _ payload: Payload) async {
    switch message.body {
    case .welcome:
      helloSent = nil
      await apply(.message(message, payload))
    case .refused(let refusal): refused(refusal)
    case .heartbeat(let heartbeat):
      await apply(.message(message, payload))
      await answer(heartbeat)
    default: await apply(.message(message, payload))
    }
  }

  private func refused(_ refusal: Refusal) {
    switch refusal.reason {
    case .unexpected: sayHello()
    case .denied, .version, .build, .numerics, .replaced:
      failure = Failure(description: "The coordinator does not take this worker: \(refusal.text)")
    default: configuration.note("The coordinator refused a message: \(refusal.text)")
    }
  }

  private func answer(_ heartbeat: Heartbeat) async {
    let answer = Heartbeat(
      progress: stage?.runner.progress ?? 0,
      block: core.isComputing ? (stage?.assignment.blocks.lowerBound ?? 0) + 1 : 0,
      residentBytes: UInt64(max(0, configuration.residentBytes())),
      cacheBytes: UInt64(cacheBytes), heard: heartbeat.progress,
      clockMicroseconds: UInt64(Clock.microseconds))
    send(Message(.heartbeat(answer), fence: core.fence), .empty)
  }

  private func perform(_ effect: WorkerEffect) async {
    switch effect {
    case .send(let message, let payload): send(message, payload)
    case .load(let assignment, let attempt, let number): await load(assignment, attempt, number)
    case .adopt(let assignment, let attempt, let number): await adopt(assignment, attempt, number)
    case .unload: await unload()
    case .open(let key, let attempt, let step, let opening, let settings):
      await open(key, attempt, step, opening, settings)
    case .resume(let key, let held, let attempt, let step, let isOutputWanted):
      await resume(key, held: held, attempt, step, isOutputWanted: isOutputWanted)
    case .expectInput(let key, let attempt, let step): await expectInput(key, attempt, step)
    case .skipInput(let key, let attempt, let step):
      tensors?.cancel { $0.sample == key && $0.attempt == attempt && $0.step == step }
      await expectInput(key, attempt, step + 1)
    case .compute(let key, let attempt, let step, let order, let labels):
      await compute(key, attempt, step, order, labels)
    case .close(let key, let attempt): await close(key, attempt)
    case .takeSnapshot(let key, let attempt, let step, let destination):
      takeSnapshot(key, attempt, step, destination)
    case .sendSnapshot(let key, let attempt, let step): await sendSnapshot(key, attempt, step)
    case .expectSnapshot(let key, let attempt, let step, let manifest):
      await expectSnapshot(key, attempt, step, manifest)
    case .perform(let order, let settings, let job, let attempt): await perform(order, settings, job, attempt)
    case .dropTasks: dropTasks()
    case .begin(let epoch, let session): expectProbes(epoch, session)
    case .greet: sayHello()
    case .leave: hasLeft = true
    }
  }

  // MARK: - The stage

  private func load(_ assignment: Assignment, _ attempt: UInt32, _ number: UInt32) async {
    await unload()
    enlist(previous: number > 0 ? assignment.previousKey : nil, number)
    tensors?.raiseFloor(epoch: core.fence.epoch, attempt: attempt)
    let blocks = Int(assignment.blocks.lowerBound)..<Int(assignment.blocks.upperBound)
    configuration.note("Loading blocks \(blocks.lowerBound)-\(blocks.upperBound - 1).")
    let (configuration, post, epoch) = (configuration, post, core.fence.epoch)
    var line: TensorLine?
    if let next = assignment.next, number + 1 == assignment.stages { line = try? await lineToCoordinator(next) }
    loading = Task.detached { [line] in
      do {
        let stage = try await LoadedStage.load(
          assignment, epoch: epoch, attempt: attempt, number, configuration, line: line
        ) { post.yield(.computed($0)) }
        post.yield(.loaded(attempt: attempt, epoch: epoch, .success(stage)))
      } catch {
        post.yield(.loaded(attempt: attempt, epoch: epoch, .failure(error)))
      }
    }
  }

  private func finishLoading(_ attempt: UInt32, _ epoch: UInt64, _ result: Result<LoadedStage, any Error>) async {
    // Another assignment may have come meanwhile.
    let isWanted = epoch == core.fence.epoch && core.isLoading(attempt)
    switch result {
    case .success(let stage):
      guard isWanted else {
        if stage.ownsLine { await stage.line.close() }
        return
      }
      self.stage = stage
      await apply(.loaded(attempt: attempt, residentBytes: UInt64(max(0, configuration.residentBytes()))))
    case .failure(let error):
      guard isWanted else { return }
      await apply(.failedToLoad(attempt: attempt, StageFailure(.storage, "\(error)")))
    }
  }

  /// The blocks stay, and the lines between stages; that to the coordinator may lead elsewhere.
  private func adopt(_ assignment: Assignment, _ attempt: UInt32, _ number: UInt32) async {
    guard var stage else { return }
    stage.assignment = assignment
    enlist(previous: number > 0 ? assignment.previousKey : nil, number)
    configuration.note(
      "Blocks \(assignment.blocks.lowerBound)-\(assignment.blocks.upperBound - 1) go on for epoch \(core.fence.epoch).")
    do {
      if let next = assignment.next, stage.isLast { stage.line = try await lineToCoordinator(next) }
      self.stage = stage
      FaultPoint.reach("stage.adopted")
    } catch {
      await apply(.failedToLoad(attempt: attempt, StageFailure(.storage, "\(error)")))
    }
  }

  private func unload() async {
    loading?.cancel()
    loading = nil
    for (key, sample) in samples { await close(key, sample.attempt) }
    let old = stage
    stage = nil
    if let old, old.ownsLine { await old.line.close() }
  }

  /// Who may send tensors: the coordinator, and the stage before.
  private func enlist(previous: PublicKey?, _ number: UInt32) {
    var entries: [AllowList.Entry] = []
    if let key = configuration.security.coordinatorKey {
      entries.append(.init(name: LineName.coordinator, role: .coordinator, key: key))
    }
    if let previous, number > 0 {
      entries.append(.init(name: LineName.stage(number - 1), role: .worker, key: previous))
    }
    access.list = AllowList(entries) ?? AllowList()
  }

  /// One for all results, whatever they are of: the coordinator knows a worker by one line.
  func lineToCoordinator(_ neighbour: Assignment.Neighbour) async throws -> TensorLine {
    if let resultLine, resultLine.neighbour == neighbour { return resultLine.line }
    await resultLine?.line.close()
    resultLine = nil
    let line = try await configuration.openLine(
      to: neighbour, "The coordinator", as: configuration.name, incarnation: incarnation)
    resultLine = (neighbour, line)
    return line
  }

  private func expectProbes(_ epoch: UInt64, _ session: UInt32) {
    guard configuration.bytesPerSecond == nil else { return }
    let probes = Coordinator.probes(epoch: epoch, session: session, sender: configuration.security.coordinatorKey)
    tensors?.cancel { ($0.epoch, $0.attempt) < (epoch, session) && $0.job == 0 }
    for probe in probes { try? tensors?.expect(probe) }
  }
}
