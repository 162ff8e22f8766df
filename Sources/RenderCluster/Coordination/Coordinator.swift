import FeatureCaching
import Files
import Journaling
import Messaging
import Rendering
import Tensors
import Transformers

/// A coordinator: gives jobs to workers that connect to it. ``CoordinatorCore`` decides; this exchanges values between it,
/// the sockets and the denoisers.
public actor Coordinator {
  private enum Incoming: Sendable {
    case control(ServerEvent)
    case output(TensorServer.Event)
    case core(CoordinatorEvent)
    case journal(JournalWriter.Event)
  }

  /// A message of a client, which is not the core's affair.
  public struct ClientMessage: Sendable {
    public let message: Message
    public let payload: Payload
    public let peer: Peer
  }

  /// What whoever renders the jobs of the ledger is to do.
  public enum Order: Sendable {
    case message(ClientMessage)
    case work(LedgerJob)
    case halt(job: UInt64)
    case deliver(LedgerJob, to: Peer)
    case discard(LedgerJob)
  }

  let configuration: CoordinatorConfiguration
  private let events: AsyncStream<Incoming>
  private let incoming: AsyncStream<Incoming>.Continuation
  private let give: AsyncStream<Order>.Continuation
  /// What is to be done about clients and the jobs of the ledger, in order.
  public nonisolated let orders: AsyncStream<Order>
  private let outputAccess: AccessControl
  private var core: CoordinatorCore
  private let control: MessageServer
  let outputs: TensorServer
  /// What is done beside the pipelines, by number.
  var tasks: [UInt64: RunningTask] = [:]
  var lastTask: UInt64 = 0
  /// To the stages of each pipeline, the first first; by its number.
  private var lines: [UInt32: [TensorLine]] = [:]
  private var jobs: [UInt64: RunningJob] = [:]
  var samples: [SampleKey: RemoteSample] = [:]
  private var lastJob: UInt64 = 0
  private var memory: CoordinatorMemory
  /// Nil where nothing is remembered.
  let snapshotFiles: SnapshotFiles?
  /// Samples of which a snapshot is being written.
  var writing: Set<SampleKey> = []
  /// Why it has stopped by itself; nil if it has not.
  public private(set) var failure: (any Error)?
  private var report = TroubleReport()

  private static let tickMilliseconds = 250

  /// Begins to listen.
  ///
  /// - Throws: what is wrong with addresses and keys; see ``MessageServer/start(_:handler:)``. ``JournalError`` and
  ///   ``JournalDamage``.
  public static func start(_ configuration: CoordinatorConfiguration) async throws -> Coordinator {
    var configuration = configuration
    let (events, post) = AsyncStream.makeStream(of: Incoming.self)
    let (memory, ledger) = try CoordinatorMemory.open(&configuration) { post.yield(.journal($0)) }
    let access = AccessControl(AllowList())
    let outputs = try await TensorServer.start(at: configuration.outputs, security: configuration.server(access)) {
      post.yield(.output($0))
    }
    let server = ServerConfiguration(
      endpoints: configuration.endpoints, security: configuration.controlServer, tickMilliseconds: tickMilliseconds)
    let control = try await MessageServer.start(server) { event, _ in post.yield(.control(event)) }
    let coordinator = Coordinator(configuration, memory, ledger, events, post, control, outputs, access)
    if let journal = configuration.journal {
      post.yield(.core(.began(filesUpTo: journal.filesUpTo)))
      let open = Set(ledger.jobs.filter { $0.ending == nil }.map(\.id))
      coordinator.snapshotFiles?.removeAll { !open.contains($0) }
    }
    Task { await coordinator.serve() }
    return coordinator
  }

  private init(
    _ configuration: CoordinatorConfiguration, _ memory: CoordinatorMemory, _ ledger: Ledger,
    _ events: AsyncStream<Incoming>, _ post: AsyncStream<Incoming>.Continuation, _ control: MessageServer,
    _ outputs: TensorServer,
    _ access: AccessControl
  ) {
    self.configuration = configuration
    self.events = events
    incoming = post
    self.control = control
    self.outputs = outputs
    outputAccess = access
    (orders, give) = AsyncStream.makeStream(of: Order.self)
    self.memory = memory
    snapshotFiles = configuration.journal?.snapshots.map { SnapshotFiles(folder: $0) }
    let key: PublicKey? = if case .curve(let keys, _) = configuration.security { keys.publicKey } else { nil }
    let identity = CoordinatorIdentity(
      epoch: configuration.epoch, build: configuration.build, numerics: configuration.numerics,
      outputs: .init(address: outputs.endpoint.description, key: key),
      waitsForWorkers: configuration.waitsForWorkers, secondsBetweenFailures: configuration.secondsBetweenFailures,
      snapshotBytes: configuration.snapshotBytes, jobsOfAClient: configuration.jobsOfAClient)
    core = CoordinatorCore(identity, planning: configuration.planning, ledger: ledger)
  }

  nonisolated func post(_ event: CoordinatorEvent) { incoming.yield(.core(event)) }

  nonisolated func note(_ text: String) { configuration.note(text) }

  nonisolated var epoch: UInt64 { configuration.epoch }

  /// Where results go.
  var outputsNeighbour: Assignment.Neighbour { core.identity.outputs }

  /// Who sends a sample's outputs; nil where nobody has keys.
  func lastStageKey(of key: SampleKey) -> PublicKey? { core.lastStageKey(of: key) }

  /// Who sends a sample's snapshots of a stage; nil where nobody has keys.
  func stageKey(_ stage: UInt32, of key: SampleKey) -> PublicKey? { core.key(ofStage: Int(stage), of: key) }

  /// To the stages of a sample, the first first.
  func lines(of key: SampleKey) -> [TensorLine] { core.pipeline(of: key).flatMap { lines[$0.attempt] } ?? [] }

  func stageCount(of key: SampleKey) -> Int { core.pipeline(of: key)?.plan.stages.count ?? 0 }

  /// Whether a job of the ledger has not ended.
  func ledgerHolds(_ job: UInt64) -> Bool { core.ledger.job(job).map { $0.ending == nil } ?? false }

  /// What a job is computed with.
  func modelKey(of job: UInt64) -> ModelKey? { jobs[job]?.model }

  /// The program and its class of numerics.
  nonisolated var identityText: String { "\(configuration.build) \(configuration.numerics)" }

  /// Why a job was ended; nil if it was not.
  func failure(of job: UInt64) -> (any Error)? { jobs[job]?.failure }

  /// Where it listens.
  public nonisolated var endpoints: [Endpoint] { control.endpoints }

  public var status: ClusterStatus { core.status(now: Clock.microseconds) }

  /// Closes its sockets; jobs that run fail. Those of the ledger are not ended by it.
  public func stop() async {
    incoming.finish()
    for job in jobs.keys.sorted() { end(job, JobError(.cancelled, "The coordinator stops.")) }
    await failTasks()
    await snapshotFiles?.finish()
    give.finish()
    memory.close()
    await disconnect()
    await control.stop()
    await outputs.stop()
  }

  /// To a client, or whoever else is connected.
  public nonisolated func send(_ message: Message, _ payload: Payload = .empty, to peer: Peer) {
    control.post { $0.send(message, payload, to: peer) }
  }

  /// Tells what has happened to jobs of the ledger.
  public nonisolated func tell(_ event: CoordinatorEvent) { post(event) }

  /// What the journal has done so far.
  public var journalUsage: Journal.Usage { memory.usage }

  /// Tells for certain that a worker is gone, as who started its process may know.
  public nonisolated func workerIsGone(_ name: String) { post(.gone(worker: name)) }

  // MARK: - Jobs

  /// Waits until there is room for a job. Whoever was let in says so with ``leave(_:)`` when it has ended.
  ///
  /// - Parameters:
  ///   - facts: what the workers will need for it.
  ///   - cache: the caching of all its samples.
  ///   - seed: of the random choices of its caches.
  ///   - job: a number that has not been used; the next one unless given.
  /// - Returns: the way to the stages, for the job's denoiser.
  /// - Throws: ``JobError`` or `CancellationError`.
  public func admit(
    _ facts: JobFacts, cache: CacheSettings, seed: UInt64, job: UInt64? = nil
  ) async throws -> RemoteTransport {
    lastJob = job ?? lastJob + 1
    let job = lastJob
    do {
      try await withTaskCancellationHandler {
        try await withCheckedThrowingContinuation { (continuation: CheckedContinuation<Void, any Error>) in
          guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
          jobs[job] = RunningJob(start: continuation, model: facts.model)
          post(.submitted(job: job, facts))
          // A cancellation may have come before the job was known.
          if Task.isCancelled { cancel(job) }
        }
      } onCancel: {
        cancel(job)
      }
    } catch {
      jobs[job] = nil
      throw error
    }
    return RemoteTransport(coordinator: self, job: job, cache: cache, seed: seed, steps: facts.steps)
  }

  /// A job that was let in has ended, one way or another.
  public func leave(_ transport: RemoteTransport) {
    jobs[transport.job] = nil
    for key in samples.keys.filter({ $0.job == transport.job }).sorted() { close(key) }
    post(.finished(job: transport.job))
  }

  /// Ends a job, whether it waits or runs.
  public nonisolated func cancel(_ job: UInt64) { post(.cancelled(job: job)) }

  private func end(_ job: UInt64, _ error: any Error) {
    guard var running = jobs[job] else { return }
    let start = running.start
    running.start = nil
    running.failure = error
    jobs[job] = running
    start?.resume(throwing: error)
    for key in samples.keys.sorted() where key.job == job { fail(key, error) }
  }

  // MARK: - Events and effects

  /// One after the other: an effect is done before the next event is looked at.
  private func serve() async {
    for await event in events { await take(event) }
  }

  private func take(_ event: Incoming) async {
    switch event {
    case .core(let event): await apply(event)
    case .control(let event): await take(event)
    case .output(.arrived(let arrival)): await take(arrival)
    case .output(.lost(let fence, let reason)):
      if await loseTaskOutput(fence) { return }
      await apply(.lost(fence.sample, attempt: fence.attempt, "an output was lost: \(reason)"))
    case .output(.failed(let reason)): await giveUp(JobError(.internal, "The socket for outputs failed: \(reason)."))
    case .output(.opened(let error)): await giveUp(error)
    case .output(.note(let text)): configuration.note(text)
    case .journal(let event): await take(event)
    }
  }

  /// Nothing goes on without its sockets, and nothing may if they let strangers in.
  private func giveUp(_ error: any Error) async {
    configuration.note("The coordinator stops: \(error)")
    failure = failure ?? error
    await stop()
  }

  private func take(_ event: ServerEvent) async {
    switch event {
    case .message(let message, let payload, let peer): await take(message, payload, peer)
    case .replaced(let peer): configuration.note("\(peer.name) is here on another connection.")
    case .malformed(let error, let name): configuration.note("A message of \(name) is malformed: \(error).")
    case .quarantined(let name): configuration.note("\(name) is not heard for ten minutes.")
    case .disconnected(let peer): if peer.role == .worker { await apply(.disconnected(peer)) }
    case .tick(let now):
      if let counters = try? await control.withPort({ $0.counters }), let text = report.text(counters, now: now) {
        configuration.note(text)
      }
      await dropRevoked()
      await watchDisk()
      await apply(.tick)
    case .insecure: configuration.note("Messages are not protected: anybody on the network may read and forge them.")
    case .authenticatorStalled: configuration.note("Handshakes are not answered; nobody new gets in.")
    case .opened(let error): await giveUp(error)
    case .failed(let reason):
      await giveUp(JobError(.internal, "The socket for workers and clients failed: \(reason)."))
    // Told of once a minute.
    case .connection, .cut: break
    }
  }

  private func take(_ message: Message, _ payload: Payload, _ peer: Peer) async {
    guard peer.role == .worker else {
      give.yield(.message(ClientMessage(message: message, payload: payload, peer: peer)))
      return
    }
    if case .hello(let hello) = message.body { return await apply(.hello(hello, from: peer)) }
    await apply(.message(message, payload, from: peer))
  }

  private func take(_ arrival: TensorInbox.Arrival) async {
    let fence = arrival.fence
    if arrival.plan.stream == .state { return await takeState(arrival) }
    if await takeTaskOutput(arrival) { return }
    // A late one of another attempt must not take the place of the one that is waited for.
    guard samples[fence.sample]?.awaited == RemoteSample.Place(attempt: fence.attempt, step: fence.step),
      let output = Tensor(arrival)
    else { return }
    samples[fence.sample]?.output = output
    await apply(.output(fence.sample, attempt: fence.attempt, step: fence.step))
  }

  func apply(_ event: CoordinatorEvent) async {
    for effect in memory.take(core.handle(event, now: Clock.microseconds, date: Clock.date)) { await perform(effect) }
    await release()
  }

  /// Does what waits for nothing any more.
  private func release() async {
    while let effect = memory.next() {
      FaultPoint.reach("effect.before")
      await perform(effect)
      FaultPoint.reach("effect.after")
    }
  }

  private func take(_ event: JournalWriter.Event) async {
    if let text = memory.take(event, core.ledger) { configuration.note(text) }
    if case .failed = event { return incoming.finish() }
    await release()
  }

  private func watchDisk() async {
    if let isFull = memory.isDiskFull(now: Clock.microseconds, core.ledger) { await apply(.disk(isFull: isFull)) }
  }

  private func perform(_ effect: CoordinatorEffect) async {
    switch effect {
    case .send(let message, let payload, let peer):
      if case .assign = message.body { updateOutputAccess() }
      send(message, payload, to: peer)
    case .start(let job):
      let start = jobs[job]?.start
      jobs[job]?.start = nil
      start?.resume()
    case .end(let job, let ending):
      let error: any Error =
        ending.outcome == .cancelled ? CancellationError() : JobError(ending.reason ?? .internal, ending.text)
      end(job, error)
    case .connect(let attempt, let stages, let oldest):
      outputs.raiseFloor(epoch: configuration.epoch, attempt: oldest)
      await connect(attempt, stages)
    case .disconnect(let attempt): for line in lines.removeValue(forKey: attempt) ?? [] { await line.close() }
    case .sendCondition(let key, let attempt): sendCondition(key, attempt)
    case .sendLatents(let key, let attempt, let step): sendLatents(key, attempt, step)
    case .expectOutput(let key, let attempt, let step): expectOutput(key, attempt, step)
    case .forget(let key, let attempt):
      let isOver: @Sendable (Fence) -> Bool = { $0.sample == key && $0.attempt == attempt }
      outputs.cancel(where: isOver)
      for line in lines.values.joined() { line.drop(where: isOver) }
      dropComingSnapshot(key, attempt)
    case .expectSnapshot(let key, let attempt, let step, let stage, let manifest):
      expectSnapshot(key, attempt, step, stage, manifest)
    case .dropSnapshot(let key, let attempt): dropComingSnapshot(key, attempt)
    case .keepSnapshot(let key, let step): keepSnapshot(key, step)
    case .sendSnapshot(let key, let attempt, let step, let stages): sendSnapshot(key, attempt, step, stages)
    case .stepDone(let key, let step, let signal, let labels, let payload):
      finishStep(key, step, signal, labels, payload)
    case .computed(let span): configuration.trace?(span)
    case .taskBegun(let id, let attempt, let worker): await begin(id, attempt, worker)
    case .taskDone(let id, let payload): await taskReported(id, payload)
    case .taskFailed(let id): await taskFailed(id)
    case .measureLink(let worker, let session, let neighbour): measureLink(worker, session, neighbour)
    case .note(let text): configuration.note(text)
    case .work(let job): give.yield(.work(job))
    case .halt(let job): give.yield(.halt(job: job))
    case .deliver(let job, let peer): give.yield(.deliver(job, to: peer))
    case .ended(let job): snapshotFiles?.remove(job: job)
    case .discard(let job): give.yield(.discard(job))
    // Written down before.
    case .record: break
    }
  }

  private func connect(_ attempt: UInt32, _ stages: [Assignment.Neighbour]) async {
    for (number, stage) in stages.enumerated() {
      do {
        lines[attempt, default: []].append(try await openLine(to: stage, "Stage \(number)"))
      } catch {
        configuration.note("Stage \(number) cannot be reached at \(stage.address): \(error).")
      }
    }
  }

  /// - Parameter name: of whom it goes to, for people.
  func openLine(
    to neighbour: Assignment.Neighbour, _ name: String,
    whenDelivered: @escaping @Sendable (Fence) -> Void = { _ in }
  ) async throws -> TensorLine {
    let (note, configuration) = (configuration.note, configuration)
    let hello = Hello(
      build: configuration.build, role: .coordinator, name: LineName.coordinator, incarnation: Clock.date)
    return try await TensorLine.open(
      to: Endpoint(neighbour.address), security: configuration.client(neighbour.key), hello: hello
    ) { event in
      switch event {
      case .delivered(let fence): whenDelivered(fence)
      case .unreachable(let reason): note("\(name) cannot be reached: \(reason).")
      case .refused: break
      }
    }
  }

  /// The last stage may send outputs, from before it tries, and so may workers with tasks.
  func updateOutputAccess() {
    guard case .curve(_, let access) = configuration.security else { return }
    let senders = core.workers.map(\.peer).filter { core.maySendOutputs($0.name) }
    let entries = senders.compactMap { peer in
      peer.key.flatMap { access.entry($0) == nil ? nil : AllowList.Entry(name: peer.name, role: .worker, key: $0) }
    }
    outputAccess.list = AllowList(entries) ?? AllowList()
  }

  /// A key that was taken off the list loses its blocks, and sends no outputs any more.
  private func dropRevoked() async {
    guard case .curve(_, let access) = configuration.security else { return }
    func isListed(_ key: PublicKey) -> Bool { access.entry(key) != nil }
    if !outputAccess.list.entries.allSatisfy({ isListed($0.key) }) { updateOutputAccess() }
    for peer in core.workers.map(\.peer) {
      if let key = peer.key, !isListed(key) { await apply(.revoked(worker: peer.name)) }
    }
  }

  private func disconnect() async {
    let old = lines
    lines = [:]
    for line in old.values.joined() { await line.close() }
  }
}

/// A job as the runtime knows it.
private struct RunningJob {
  /// Until there is room for it.
  var start: CheckedContinuation<Void, any Error>?
  let model: ModelKey
  /// Why it was ended.
  var failure: (any Error)?
}
