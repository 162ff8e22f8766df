import Tensors

@testable import Messaging
@testable import RenderCluster

/// A coordinator's core, and workers that answer at once and do as they are told unless a test says otherwise.
struct TestedCore {
  static let numerics = TinyCluster.digest(1)
  static let model = TinyCluster.digest(2)

  let epoch: UInt64
  var core: CoordinatorCore
  /// In milliseconds.
  var now: Int64 = 0
  /// In microseconds since 1970.
  var date: UInt64 = 0
  private(set) var effects: [CoordinatorEffect] = []
  /// Workers that answer nothing.
  var mute: Set<String> = []
  /// Workers that do not load what they are assigned.
  var idle: Set<String> = []
  private var sequences: [String: UInt64] = [:]
  private var peers: [String: Peer] = [:]

  init(
    waitsForWorkers: Bool = true, planning: @escaping Planning = StagePlanner.planning, ledger: Ledger = Ledger(),
    snapshotBytes: Int = 1 << 30, requestBytesOfAClient: Int = Limits().requestBytesOfAClient, epoch: UInt64 = 1
  ) {
    self.epoch = epoch
    let identity = CoordinatorIdentity(
      epoch: epoch, build: "test", numerics: Self.numerics, outputs: .init(address: "ipc:///outputs", key: nil),
      waitsForWorkers: waitsForWorkers, snapshotBytes: snapshotBytes, requestBytesOfAClient: requestBytesOfAClient)
    core = CoordinatorCore(identity, planning: planning, ledger: ledger)
  }

  /// Of blocks that weigh 100 bytes each and keep 10 of a sample.
  static func facts(
    rows: Int = 1, blocks: Int = 4, model: Digest = model, operations: Int = 10_000, stateBytes: Int = 8
  ) -> JobFacts {
    JobFacts(
      model: ModelKey(digest: model, precision: .float32), modelName: "model", rows: rows, steps: 8,
      blocks: Array(
        repeating: BlockCost(operations: operations, weightBytes: 100, cacheBytes: 10, stateBytes: stateBytes),
        count: blocks),
      overheadBytes: 0)
  }

  // MARK: - What happens

  mutating func happens(_ event: CoordinatorEvent) {
    let new = core.handle(event, now: now * 1000, date: date)
    effects += new
    for effect in new {
      guard case .send(let message, _, let peer) = effect, !mute.contains(peer.name) else { continue }
      answer(message, peer)
    }
  }

  private mutating func answer(_ message: Message, _ peer: Peer) {
    if case .heartbeat(let heartbeat) = message.body { return answer(heartbeat, peer.name) }
    guard message.fence.sequence > 0 else { return }
    say(.received(Receipt(acknowledged: message.fence.sequence)), from: peer.name)
    if case .assign = message.body, !idle.contains(peer.name) {
      post(.ready(Readiness(residentBytes: 0)), message.fence, from: peer.name)
    }
  }

  mutating func answer(_ heartbeat: Heartbeat, _ worker: String, progress: UInt64 = 0, block: UInt32 = 0) {
    let session = core.workers.first { $0.name == worker }?.session ?? 0
    say(
      .heartbeat(Heartbeat(progress: progress, block: block, heard: heartbeat.progress)),
      fence: Fence(epoch: epoch, attempt: session), from: worker)
  }

  mutating func say(
    _ body: MessageBody, _ payload: Payload = .empty, fence: Fence? = nil, from worker: String
  ) {
    guard let peer = peers[worker] else { return }
    happens(.message(Message(body, fence: fence ?? Fence(epoch: epoch)), payload, from: peer))
  }

  /// A message that is numbered.
  mutating func post(_ body: MessageBody, payload: Payload = .empty, _ fence: Fence, from worker: String) {
    let session = UInt64(core.workers.first { $0.name == worker }?.session ?? 0)
    let last = sequences[worker] ?? 0
    var fence = fence
    fence.epoch = epoch
    fence.sequence = last >> 32 == session ? last + 1 : session << 32 | 1
    sequences[worker] = fence.sequence
    say(body, payload, fence: fence, from: worker)
  }

  mutating func join(
    _ name: String, incarnation: UInt64 = 1, memoryBytes: UInt64 = 1 << 30, models: [Digest] = [model],
    connection: UInt8 = 0, _ change: (inout Hello) -> Void = { _ in }
  ) {
    let peer = Peer(
      name: name, role: .worker, key: nil, incarnation: incarnation, connection: Array(name.utf8) + [connection])
    peers[name] = peer
    var hello = Hello(
      build: "test", role: .worker, name: name, incarnation: incarnation, numerics: Self.numerics, threads: 1,
      memoryBytes: memoryBytes, models: models, address: "ipc:///\(name)", operationsPerSecond: 1_000_000)
    change(&hello)
    happens(.hello(hello, from: peer))
  }

  /// Time passes, with a tick each half second.
  mutating func wait(_ milliseconds: Int64) {
    let end = now + milliseconds
    while now < end {
      now = min(end, now + 500)
      happens(.tick)
    }
  }

  /// Submits a job and opens its samples if it starts.
  mutating func submit(_ job: UInt64, _ facts: JobFacts = facts()) {
    happens(.submitted(job: job, facts))
    if started.contains(job) { open(job, rows: facts.rows) }
  }

  // MARK: - Jobs of the ledger

  static func client(_ name: String = "client", role: Role = .client) -> Peer {
    Peer(name: name, role: role, key: nil, incarnation: 1, connection: Array(name.utf8))
  }

  /// A client asks for a job.
  ///
  /// - Returns: what it is answered.
  @discardableResult
  mutating func ask(
    _ request: String, key: UInt8 = 1, client: String = "client", priority: Int = 0,
    error: JobError? = nil
  ) -> MessageBody? {
    let submission = JobSubmission(
      key: [UInt8](repeating: key, count: Submission.keyBytes), request: request, priority: priority,
      verdict: error.map { .failure($0) } ?? .success(.init(model: "model", steps: 8)))
    return answer(to: client) { $0.happens(.asked(submission, from: Asker(Self.client(client), sequence: 5))) }
  }

  @discardableResult
  mutating func command(_ command: JobCommand, by client: Peer = client()) -> MessageBody? {
    answer(to: client.name) { $0.happens(.command(command, from: Asker(client, sequence: 6))) }
  }

  /// The first answer that a client is given.
  private mutating func answer(to client: String, _ body: (inout TestedCore) -> Void) -> MessageBody? {
    let start = effects.count
    body(&self)
    return effects[start...].lazy.compactMap { effect in
      if case .send(let message, _, let peer) = effect, peer.name == client { message.body } else { nil }
    }.first
  }

  /// The jobs that were to be rendered, in order.
  var work: [UInt64] { effects.compactMap { if case .work(let job) = $0 { job.id } else { nil } } }

  /// What was written down.
  var records: [LedgerEntry] { effects.compactMap { if case .record(let entry, _) = $0 { entry } else { nil } } }

  mutating func open(_ job: UInt64, rows: Int = 1) {
    for row in 0..<rows {
      let opening = SampleOpening(guidance: 1, rows: 1, columns: 1, seed: 1, steps: 8, textTokens: 0)
      happens(.opened(SampleKey(job: job, row: UInt32(row)), opening, settings: .empty))
      want(job, row: UInt32(row))
    }
  }

  mutating func want(_ job: UInt64, row: UInt32 = 0) {
    happens(
      .wanted(
        SampleKey(job: job, row: row), StepRequest(order: StepOrder(.full, index: 0, timestep: 0), labels: .empty)))
  }

  /// All stages do the step that is in flight.
  mutating func compute(_ job: UInt64, row: UInt32 = 0) {
    let key = SampleKey(job: job, row: row)
    guard let sample = sample(key), let step = sample.inFlight, let pipeline = core.pipeline(of: key) else { return }
    for (stage, planned) in pipeline.plan.stages.enumerated() {
      let fence = Fence(
        job: job, row: row, attempt: sample.attempt, stage: UInt32(stage), step: UInt32(step.step))
      post(.stepDone(StepReport(microseconds: 1000)), fence, from: planned.worker)
    }
    happens(.output(key, attempt: sample.attempt, step: UInt32(step.step)))
  }

  // MARK: - What there is

  func sample(_ key: SampleKey) -> SampleRecord? {
    core.jobs.first { $0.id == key.job }?.samples.first { $0.key == key }
  }

  /// The workers of the stages, of all pipelines.
  var stages: [String] { core.pipelines.flatMap { $0.plan.stages.map(\.worker) } }

  var started: [UInt64] {
    effects.compactMap { effect in if case .start(let job) = effect { job } else { nil } }
  }

  var endings: [UInt64: [JobEnding]] {
    effects.reduce(into: [:]) { endings, effect in
      if case .end(let job, let ending) = effect { endings[job, default: []].append(ending) }
    }
  }

  /// What was sent to a worker, from a number of effects on.
  func sent(to worker: String, from start: Int = 0) -> [Message] {
    effects[start...].compactMap { effect in
      if case .send(let message, _, let peer) = effect, peer.name == worker { message } else { nil }
    }
  }

  var assignments: Int { notes("Stages for") }

  /// How often people were told something.
  func notes(_ part: String) -> Int {
    effects.count { if case .note(let text) = $0 { text.contains(part) } else { false } }
  }
}
