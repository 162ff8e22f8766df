import Messaging
import Tensors

/// What a coordinator is from its start on.
public struct CoordinatorIdentity: Sendable, Hashable {
  /// Raised at each start; see `Proto/clusca.proto`.
  public var epoch: UInt64
  /// The program; workers must be of the same.
  public var build: String
  /// The class of numerics; workers must be of the same, for pictures to be.
  public var numerics: Digest
  /// Where the last stage sends its output.
  public var outputs: Assignment.Neighbour
  /// Whether jobs that no set of workers can do wait for more of them; otherwise they fail.
  public var waitsForWorkers: Bool
  /// How long the stages of a pipeline work, in the mean, until one of them fails; 0 has a snapshot taken before every full
  /// step.
  public var secondsBetweenFailures: Double
  /// What snapshots may take of the memory here, in all.
  public var snapshotBytes: Int
  /// Jobs of one client that have not ended.
  public var jobsOfAClient: Int
  /// Bytes of their requests.
  public var requestBytesOfAClient: Int

  /// Six hours.
  public static let assumedSecondsBetweenFailures = 21_600.0

  public init(
    epoch: UInt64, build: String, numerics: Digest, outputs: Assignment.Neighbour, waitsForWorkers: Bool = true,
    secondsBetweenFailures: Double = Self.assumedSecondsBetweenFailures, snapshotBytes: Int = 1 << 30,
    jobsOfAClient: Int = Limits().jobsOfAClient, requestBytesOfAClient: Int = Limits().requestBytesOfAClient
  ) {
    self.requestBytesOfAClient = requestBytesOfAClient
    self.jobsOfAClient = jobsOfAClient
    self.snapshotBytes = snapshotBytes
    self.secondsBetweenFailures = secondsBetweenFailures
    self.waitsForWorkers = waitsForWorkers
    self.epoch = epoch
    self.build = build
    self.numerics = numerics
    self.outputs = outputs
  }
}

/// Makes plans of pipelines that stand side by side: ``ReplicaPlanner``, ``StagePlanner`` for no more than one, or what a
/// test wants.
public typealias Planning =
  @Sendable (_ blocks: [BlockCost], _ workers: [WorkerCapacity], _ samples: Int, _ overheadBytes: Int)
  -> Result<[StagePlan], StagePlanFailure>

/// The coordinator's decisions: who is a worker, who has which blocks, which job goes on when, and what follows when a worker
/// is lost. A value that is told what happens and when, and says what to do: it has no clock, no sockets, no files, no
/// random numbers, and the order in which a dictionary lies decides about nothing. The same events give the same effects.
public struct CoordinatorCore: Sendable {
  public let identity: CoordinatorIdentity
  let planning: Planning
  /// What is remembered of jobs, whatever happens.
  public private(set) var ledger: Ledger
  /// Jobs of the ledger that are being rendered, or wait for room in the stages.
  var begun: Set<UInt64> = []
  /// Of each of them, how far it is.
  var activities: [UInt64: JobActivity] = [:]
  /// Who wants to be told how jobs end.
  var watchers: [UInt64: [Peer]] = [:]
  /// Something has happened that may let another job of the ledger begin.
  var needsWork = false
  var isDiskFull = false
  /// By name.
  var workers: [WorkerRecord] = []
  /// By number.
  var jobs: [JobRecord] = []
  /// In the order of their making. A worker is in one at most.
  var pipelines: [Pipeline] = []
  /// What is done beside the pipelines, in the order of its beginning.
  var tasks: [TaskRecord] = []
  /// Of all workers that have ever been here, by name.
  var histories: [WorkerHistory] = []
  /// Something has happened that another plan may follow from.
  var needsReview = false
  /// Something has happened that may let a job into a pipeline.
  var needsAdmission = false
  /// When a worker last joined, in milliseconds.
  var lastJoined = Int64.min
  /// Until when workers may tell that they hold what jobs of before need, in milliseconds.
  var adoptionEnd = Int64.min
  /// The longest wait for what they hold, in milliseconds.
  var mostPatience = Int64.max
  /// When a worker last told so, in milliseconds.
  var lastHeld = Int64.min
  /// How long a snapshot took last, from the order until all of it was here, in milliseconds.
  var snapshotMilliseconds = 50.0
  var tensorPatience = TensorPatience()
  /// Counts assignments and openings: a number never means two things.
  var lastAttempt: UInt32 = 0
  private var lastHeartbeat: UInt64 = 0
  private var lastHeartbeatTime = Int64.min
  /// Why nothing runs although jobs wait; said once.
  var obstacle: String?
  /// What was said last.
  var lastObstacle: String?
  /// In microseconds; the time of the event in hand.
  private(set) var now: Int64 = 0
  /// Microseconds since 1970; the date of the event in hand.
  private(set) var date: UInt64 = 0
  private var effects: [CoordinatorEffect] = []

  private static let heartbeatMicroseconds: Int64 = 1_000_000
  /// Ticks come more often: after so long without any event it is the coordinator that has stood still.
  private static let pauseMicroseconds: Int64 = 2_000_000

  /// - Parameter ledger: what a journal has told.
  public init(_ identity: CoordinatorIdentity, planning: @escaping Planning, ledger: Ledger = Ledger()) {
    self.identity = identity
    self.planning = planning
    self.ledger = ledger
  }

  /// - Parameters:
  ///   - now: microseconds of a clock that only goes forward.
  ///   - date: microseconds since 1970, for people; only how long a restarted coordinator waits for what workers hold follows
  ///     from it.
  /// - Returns: what is to be done, in its order.
  public mutating func handle(_ event: CoordinatorEvent, now: Int64, date: UInt64 = 0) -> [CoordinatorEffect] {
    if self.now > 0, now - self.now > Self.pauseMicroseconds { forgive(now - self.now) }
    self.now = now
    self.date = date
    effects = []
    switch event {
    case .hello(let hello, let peer): greet(peer, hello)
    case .message(let message, let payload, let peer): take(message, payload, from: peer)
    case .disconnected(let peer): noteEnd(ofConnection: peer)
    case .gone(let worker): if let index = index(of: worker) { lose(index, "its process has ended") }
    case .revoked(let worker): if let index = index(of: worker) { lose(index, "its key is off the list") }
    case .submitted(let job, let facts): submit(job, facts)
    case .cancelled(let job): withdraw(job)
    case .finished(let job):
      tensorPatience.jobIsDone()
      remove(job)
    case .opened(let key, let opening, let settings, let snapshot, let answers):
      open(key, opening, settings, snapshot, answers: answers)
    case .wanted(let key, let request): want(key, request)
    case .closed(let key): close(key)
    case .output(let key, let attempt, let step): take(outputOf: key, attempt: attempt, step: step)
    case .lost(let key, let attempt, let reason): lost(tensorOf: key, attempt: attempt, reason)
    case .snapshotArrived(let key, let attempt, let stage): take(snapshotOf: key, attempt: attempt, stage: stage)
    case .snapshotLost(let key, let attempt, let reason): lost(snapshotOf: key, attempt: attempt, reason)
    case .taskWanted(let task): want(task)
    case .taskDropped(let id): forget(task: id)
    case .linkMeasured(let worker, let bytesPerSecond): take(linkOf: worker, bytesPerSecond)
    case .tick: tick()
    case .began(let last): begin(filesUpTo: last)
    case .asked(let submission, let asker): take(submission, asker)
    case .command(let command, let asker): take(command, asker)
    case .awaited(let job, let asker): attend(to: job, asker)
    case .listed(let query, let asker): list(query, asker)
    case .statusWanted(let more, let asker): tellStatus(more, asker)
    case .progressed(let job, let phase, let done): note(progressOf: job, phase, done)
    case .rendered(let job, let outputs): finish(job, outputs)
    case .failed(let job, let error): giveUp(job, error)
    case .disk(let isFull): noteDisk(isFull)
    }
    proceed()
    beginWork()
    return effects
  }

  /// Changes the ledger, and has that written down before anything that follows is done.
  mutating func commit(_ entry: LedgerEntry) {
    ledger.apply(entry, date: date)
    emit(.record(entry, date: date))
  }

  mutating func emit(_ effect: CoordinatorEffect) { effects.append(effect) }

  mutating func nextAttempt() -> UInt32 {
    lastAttempt += 1
    return lastAttempt
  }

  var milliseconds: Int64 { now / 1000 }

  func index(of worker: String) -> Int? { workers.firstIndex { $0.name == worker } }
  func index(of job: UInt64) -> Int? { jobs.firstIndex { $0.id == job } }

  /// Sends a message that must arrive.
  ///
  /// - Returns: its number.
  @discardableResult
  mutating func post(_ body: MessageBody, _ payload: Payload = .empty, fence: Fence, to worker: Int) -> UInt64 {
    var fence = fence
    fence.epoch = identity.epoch
    let message = workers[worker].outbox.add(Message(body, fence: fence), payload, now: milliseconds)
    emit(.send(message, payload, to: workers[worker].peer))
    return message.fence.sequence
  }

  private mutating func tick() {
    for index in workers.indices.reversed() {
      if let silence = workers[index].silence(now: milliseconds) { lose(index, silence) }
    }
    if !pipelines.allSatisfy(\.isReady) { needsAdmission = true }
    watchProgress()
    watchSnapshots()
    watchTasks()
    // Loads that failed are tried again after some time.
    if obstacle != nil, workers.contains(where: { !$0.failedLoads.isEmpty }) { needsReview = true }
    for index in workers.indices {
      for (message, payload) in workers[index].outbox.overdue(now: milliseconds) {
        emit(.send(message, payload, to: workers[index].peer))
      }
    }
    guard lastHeartbeatTime == .min || now - lastHeartbeatTime >= Self.heartbeatMicroseconds else { return }
    lastHeartbeatTime = now
    lastHeartbeat += 1
    for index in workers.indices {
      workers[index].clock.sent(lastHeartbeat, now: now)
      let heartbeat = Message(
        .heartbeat(Heartbeat(progress: lastHeartbeat)), fence: Fence(epoch: identity.epoch))
      emit(.send(heartbeat, .empty, to: workers[index].peer))
    }
  }

  // MARK: - Messages of workers

  private mutating func take(_ message: Message, _ payload: Payload, from peer: Peer) {
    guard let index = index(of: peer.name), workers[index].peer == peer else { return turnAway(peer) }
    switch message.body {
    case .heartbeat(let heartbeat):
      workers[index].take(heartbeat, now: now)
      // The welcome was lost after one of an earlier session had arrived: the worker does not know that it waits.
      if (message.fence.epoch, message.fence.attempt) != (identity.epoch, workers[index].session) { welcome(index) }
    // Sessions are numbered anew in each epoch: a receipt of an older one may have the number of a message of this one.
    case .received(let receipt) where message.fence.epoch == identity.epoch: take(receipt, index)
    case .refused(let refusal) where refusal.reason == .epoch && message.fence.epoch > identity.epoch:
      return giveUp(index, obeying: message.fence.epoch)
    default: break
    }
    // Of another coordinator's time, or not in need of an order.
    guard message.fence.epoch == identity.epoch, message.fence.sequence > 0 else { return }
    let (acknowledges, ready) = workers[index].inbox.take(message, payload)
    for (message, payload) in ready {
      // What the message before led to may have cost the worker its place.
      guard let index = self.index(of: peer.name), workers[index].peer == peer else { break }
      act(on: message, payload, index)
    }
    // Behind what it led to: a worker takes the receipt of a snapshot for leave to send the tensors.
    guard acknowledges else { return }
    let receipt = Receipt(acknowledged: message.fence.sequence)
    emit(.send(Message(.received(receipt), fence: Fence(epoch: identity.epoch)), .empty, to: peer))
  }

  private mutating func act(on message: Message, _ payload: Payload, _ worker: Int) {
    switch message.body {
    case .ready(let readiness): take(readiness, message.fence, worker)
    case .failed(let failure): take(failure, message.fence, worker)
    case .held(let held): take(held, payload, message.fence, worker)
    case .stepDone(let report): take(report, payload, message.fence, worker)
    case .snapshot: take(snapshot: payload, message.fence, worker)
    case .release: drain(worker)
    case .taskDone(let report): take(report, payload, message.fence, worker)
    default: break
    }
  }

  private mutating func take(_ receipt: Receipt, _ worker: Int) {
    workers[worker].outbox.acknowledge(receipt.acknowledged)
    openingArrived(at: workers[worker].name, sequence: receipt.acknowledged)
  }
}
