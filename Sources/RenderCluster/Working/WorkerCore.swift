import Messaging

/// What happens to a worker.
public enum WorkerEvent: Sendable {
  /// A message of the coordinator.
  case message(Message, Payload)
  /// The blocks of an assignment are loaded.
  case loaded(attempt: UInt32, residentBytes: UInt64)
  case failedToLoad(attempt: UInt32, StageFailure)
  /// What a sample shall show is here; the stage is to take it.
  case conditionIsHere(SampleKey, attempt: UInt32)
  /// The stage has taken it.
  case conditionArrived(SampleKey, attempt: UInt32)
  /// What a step begins with is here: latents, or all streams of hidden states.
  case inputArrived(SampleKey, attempt: UInt32, step: UInt32)
  case computed(SampleKey, attempt: UInt32, step: UInt32, StepReport, labels: Payload)
  /// The stage has taken a snapshot, which consists of what the payload says.
  case snapshotTaken(SampleKey, attempt: UInt32, step: UInt32, manifest: Payload)
  /// The stage goes on from the snapshot that was expected.
  case restored(SampleKey, attempt: UInt32)
  /// A sample cannot be opened, or a step not be computed.
  case failed(SampleKey, attempt: UInt32, step: UInt32, StageFailure)
  case taskDone(job: UInt64, attempt: UInt32, TaskReport, facts: Payload)
  case taskFailed(job: UInt64, attempt: UInt32, StageFailure)
  /// The worker shall go as soon as nothing depends on it.
  case drain
  /// Time has passed.
  case tick
}

/// What a worker is to do. In their order.
public enum WorkerEffect: Sendable, Equatable {
  case send(Message, Payload)
  /// Loads blocks, and lets go of those before.
  case load(Assignment, attempt: UInt32, stage: UInt32)
  /// Blocks that are loaded already become those of an assignment.
  case adopt(Assignment, attempt: UInt32, stage: UInt32)
  case unload
  /// Opens a sample: expects what it shall show, and the input of the step that it begins with.
  case open(SampleKey, attempt: UInt32, step: UInt32, SampleOpening, settings: Payload)
  /// Goes on with a sample that is held, under another attempt: expects the input of the step that is next. The output of the
  /// one before it goes out again, if it is asked for and this stage has it.
  case resume(SampleKey, held: UInt32, attempt: UInt32, step: UInt32, isOutputWanted: Bool)
  /// Expects the input of a step.
  case expectInput(SampleKey, attempt: UInt32, step: UInt32)
  /// Expects that of the next step instead of this one's, which has none.
  case skipInput(SampleKey, attempt: UInt32, step: UInt32)
  case compute(SampleKey, attempt: UInt32, step: UInt32, StepOrder, labels: Payload)
  case close(SampleKey, attempt: UInt32)
  /// Takes a snapshot, before anything more of the sample is computed.
  case takeSnapshot(SampleKey, attempt: UInt32, step: UInt32, destination: Assignment.Neighbour)
  /// The coordinator expects the tensors of a snapshot.
  case sendSnapshot(SampleKey, attempt: UInt32, step: UInt32)
  /// Expects the tensors of a snapshot, for the stage to go on from.
  case expectSnapshot(SampleKey, attempt: UInt32, step: UInt32, manifest: Payload)
  /// Does something beside the stage, under its number.
  case perform(TaskOrder, settings: Payload, job: UInt64, attempt: UInt32)
  /// All tasks are void.
  case dropTasks
  /// A new session has begun.
  case begin(epoch: UInt64, session: UInt32)
  /// Says hello again: nothing has come from the coordinator for so long that it will have given this worker up.
  case greet
  /// The worker is let go and may end.
  case leave
}

/// A worker's decisions. Like ``CoordinatorCore`` a value without clock, sockets or numbers; its stage computes elsewhere.
public struct WorkerCore: Sendable {
  struct Stage: Sendable {
    /// Of the coordinator that assigned it; in a later one it is held, and nobody's.
    var epoch: UInt64
    var attempt: UInt32
    let number: UInt32
    var assignment: Assignment
    var isReady = false
    var residentBytes: UInt64 = 0
    /// Under which it was held at the last welcome of a higher epoch, and since when.
    var held: (Assignment.Held, since: Int64)?
  }

  struct Sample: Sendable {
    let key: SampleKey
    /// In which it was opened.
    var epoch: UInt64
    var attempt: UInt32
    let stage: UInt32
    let opening: SampleOpening
    let settings: Payload
    /// The coordinator of today has not made it its own: nothing is told of its steps.
    var isHeld = false
    /// What was told of the step before, or would have been.
    var last: Report?
    /// The stage is to take what the sample shall show, or has.
    var isOpening = false
    var hasCondition = false
    /// It begins with a snapshot, which is not here yet.
    var awaitsSnapshot = false
    /// A snapshot whose tensors wait until the coordinator knows of it, and the number of the message that tells.
    var snapshot: (step: UInt32, sequence: UInt64)?
    /// The step that is next, or computed now.
    var step: UInt32 = 0
    var order: Order?
    var hasInput = false
    var isComputing = false
  }

  struct Report: Sendable {
    let step: UInt32
    let report: StepReport
    let labels: Payload
  }

  struct Order: Sendable {
    let step: UInt32
    let order: StepOrder
    let labels: Payload
  }

  /// The coordinator's epoch and the number of what began with the last welcome; another one makes all void.
  private(set) var epoch: UInt64 = 0
  private var session: UInt32 = 0
  private(set) var outbox = Outbox()
  private var inbox = OrderedInbox()
  var stage: Stage?
  /// In the order of their opening.
  var samples: [Sample] = []
  /// The coordinator is to be told what is held.
  var reportsHeld = false
  private var isDraining = false
  /// When the coordinator was last heard, and when hello was last said because it was not, in microseconds.
  private var heard: Int64 = 0
  private var greeted: Int64 = 0
  /// How long after that the coordinator may count on this worker.
  private var lease = defaultLease
  private(set) var now: Int64 = 0
  var effects: [WorkerEffect] = []

  /// The coordinator sends a heartbeat each second, and gives up after six without an answer.
  private static let defaultLease: Int64 = 6_000_000
  /// What the stage holds is kept for so long: the coordinator may have stood still and go on.
  static let patience: Int64 = 600_000_000

  public init() {}

  /// Whether the blocks of an assignment are waited for.
  public func isLoading(_ attempt: UInt32) -> Bool { stage.map { $0.attempt == attempt && !$0.isReady } ?? false }

  /// Whether there is something that only the stage can go on with.
  public var isComputing: Bool {
    samples.contains { $0.isComputing || $0.isOpening && !$0.hasCondition }
  }

  /// Whether the lease has run out: the blocks may be another's by now. Nothing new is computed and nothing told until the
  /// coordinator is heard again, which decides whether what is here still counts.
  public var isFenced: Bool { session > 0 && now - heard > lease }

  /// The fence of a heartbeat: it says of which session the worker knows.
  public var fence: Fence { Fence(epoch: epoch, attempt: session) }

  /// - Parameter now: microseconds of a clock that only goes forward.
  public mutating func handle(_ event: WorkerEvent, now: Int64) -> [WorkerEffect] {
    self.now = now
    effects = []
    switch event {
    case .message(let message, let payload): take(message, payload)
    case .loaded(let attempt, let residentBytes):
      guard stage?.attempt == attempt, let number = stage?.number else { break }
      stage?.isReady = true
      stage?.residentBytes = residentBytes
      post(.ready(Readiness(residentBytes: residentBytes)), fence: Fence(attempt: attempt, stage: number))
    case .failedToLoad(let attempt, let failure):
      guard stage?.attempt == attempt, let number = stage?.number else { break }
      stage = nil
      post(.failed(failure), fence: Fence(attempt: attempt, stage: number))
    case .conditionIsHere(let key, let attempt):
      change(key, attempt) { $0.isOpening = true }
    case .conditionArrived(let key, let attempt):
      change(key, attempt) { $0.hasCondition = true }
    case .inputArrived(let key, let attempt, let step):
      guard index(key, attempt).map({ samples[$0].step == step }) ?? false else { break }
      change(key, attempt) { $0.hasInput = true }
      effects.append(.expectInput(key, attempt: attempt, step: step + 1))
    case .computed(let key, let attempt, let step, let report, let labels):
      guard index(key, attempt).map({ samples[$0].isComputing && samples[$0].step == step }) ?? false else { break }
      finish(key, attempt, step, .stepDone(report), labels)
    case .snapshotTaken(let key, let attempt, let step, let manifest): announce(key, attempt, step, manifest)
    case .restored(let key, let attempt): change(key, attempt) { $0.awaitsSnapshot = false }
    case .failed(let key, let attempt, let step, let failure):
      finish(key, attempt, step, .failed(failure), .empty)
    case .taskDone(let job, let attempt, let report, let facts):
      post(.taskDone(report), facts, fence: Fence(job: job, attempt: attempt))
    case .taskFailed(let job, let attempt, let failure):
      post(.failed(failure), fence: Fence(job: job, attempt: attempt))
    case .drain: drain()
    case .tick: tick()
    }
    guard !isFenced else { return effects }
    for sample in samples.indices { begin(sample) }
    if reportsHeld, session > 0 { tellHeld() }
    return effects
  }

  private mutating func tick() {
    if isHeldTooLong { letGo() }
    guard isFenced else {
      effects += outbox.overdue(now: now / 1000).map { .send($0.message, $0.payload) }
      return
    }
    // Who was to let this worker go has given it up, or is gone itself.
    if isDraining { return effects.append(.leave) }
    if now - heard > Self.patience { letGo() }
    guard now - max(heard, greeted) > lease else { return }
    greeted = now
    effects.append(.greet)
  }

  @discardableResult
  mutating func post(_ body: MessageBody, _ payload: Payload = .empty, fence: Fence) -> UInt64 {
    var fence = fence
    fence.epoch = epoch
    let message = outbox.add(Message(body, fence: fence), payload, now: now / 1000)
    // Otherwise it is sent again when the coordinator is heard.
    if !isFenced { effects.append(.send(message, payload)) }
    return message.fence.sequence
  }

  func index(_ key: SampleKey, _ attempt: UInt32) -> Int? {
    samples.firstIndex { $0.key == key && $0.attempt == attempt }
  }

  private mutating func change(_ key: SampleKey, _ attempt: UInt32, _ change: (inout Sample) -> Void) {
    if let index = index(key, attempt) { change(&samples[index]) }
  }

  // MARK: - Messages

  private mutating func take(_ message: Message, _ payload: Payload) {
    if message.fence.epoch >= epoch { heard = now }
    switch message.body {
    case .welcome(let welcome):
      guard message.fence.epoch >= epoch else {
        // Of a coordinator of the past, which must not think that it has a worker.
        let text = "This worker obeys a coordinator that was started later."
        return effects.append(.send(Message(.refused(Refusal(.epoch, text)), fence: Fence(epoch: epoch)), .empty))
      }
      if welcome.leaseMilliseconds > 0 { lease = Int64(welcome.leaseMilliseconds) * 1000 }
      return begin(epoch: message.fence.epoch, session: message.fence.attempt)
    case .received(let receipt) where message.fence.epoch == epoch: return take(receipt)
    default: break
    }
    guard session > 0, message.fence.epoch == epoch, message.fence.sequence > 0 else { return }
    let (acknowledges, ready) = inbox.take(message, payload)
    for (message, payload) in ready { act(on: message, payload) }
    // Behind what it led to: the coordinator takes the receipt of an opening for leave to send the prompt.
    guard acknowledges else { return }
    let receipt = Receipt(acknowledged: message.fence.sequence)
    effects.append(.send(Message(.received(receipt), fence: Fence(epoch: epoch)), .empty))
  }

  private mutating func take(_ receipt: Receipt) {
    outbox.acknowledge(receipt.acknowledged)
    for index in samples.indices {
      guard let snapshot = samples[index].snapshot, snapshot.sequence == receipt.acknowledged else { continue }
      samples[index].snapshot = nil
      effects.append(.sendSnapshot(samples[index].key, attempt: samples[index].attempt, step: snapshot.step))
    }
  }

  /// A welcome of the same session is one after a lost connection: all stays. Otherwise the coordinator knows of nothing, and
  /// one that was started again may take over what is here.
  private mutating func begin(epoch: UInt64, session: UInt32) {
    // Sessions rise; a lower one is a welcome that was late.
    guard (epoch, session) > (self.epoch, self.session) else { return }
    let isAnother = epoch > self.epoch
    (self.epoch, self.session) = (epoch, session)
    outbox = Outbox(session: session)
    inbox = OrderedInbox(session: session)
    // In the same epoch its coordinator has given others what is here.
    if isAnother { holdOn() } else { letGo() }
    effects += [.dropTasks, .begin(epoch: epoch, session: session)]
    if isDraining { post(.release, fence: Fence()) }
  }

  mutating func letGo() {
    for sample in samples { effects.append(.close(sample.key, attempt: sample.attempt)) }
    samples = []
    if stage != nil { effects.append(.unload) }
    stage = nil
  }

  private mutating func act(on message: Message, _ payload: Payload) {
    let fence = message.fence
    switch message.body {
    case .assign(let assignment):
      if adopt(assignment, fence) { return }
      letGo()
      stage = Stage(epoch: epoch, attempt: fence.attempt, number: fence.stage, assignment: assignment)
      effects.append(.load(assignment, attempt: fence.attempt, stage: fence.stage))
    case .release:
      // What is held is of no use to a coordinator that lets this worker go.
      if let stage, stage.epoch < epoch || stage.attempt == fence.attempt { letGo() }
      if isDraining, stage == nil { effects.append(.leave) }
    case .openSample(let opening):
      guard let stage, stage.isReady, stage.number == fence.stage, stage.epoch == epoch else { return }
      if let held = opening.held { return resume(held, opening, payload, fence) }
      close(fence.sample)
      samples.append(
        Sample(
          key: fence.sample, epoch: epoch, attempt: fence.attempt, stage: fence.stage, opening: opening,
          settings: payload, step: fence.step))
      effects.append(.open(fence.sample, attempt: fence.attempt, step: fence.step, opening, settings: payload))
    case .closeSample:
      if index(fence.sample, fence.attempt) != nil { close(fence.sample) }
    case .takeSnapshot(let order):
      guard let index = index(fence.sample, fence.attempt), samples[index].step == fence.step else { return }
      effects.append(
        .takeSnapshot(fence.sample, attempt: fence.attempt, step: fence.step, destination: order.destination))
    case .snapshot:
      guard let index = index(fence.sample, fence.attempt) else { return }
      samples[index].awaitsSnapshot = true
      effects.append(.expectSnapshot(fence.sample, attempt: fence.attempt, step: fence.step, manifest: payload))
    case .task(let order):
      effects.append(.perform(order, settings: payload, job: fence.job, attempt: fence.attempt))
    case .stepBegin(let order):
      let kept = Order(step: fence.step, order: order, labels: payload)
      change(fence.sample, fence.attempt) { $0.order = kept }
    default: break
    }
  }

  mutating func close(_ key: SampleKey) {
    guard let index = samples.firstIndex(where: { $0.key == key }) else { return }
    if samples[index].isHeld { reportsHeld = true }
    effects.append(.close(key, attempt: samples.remove(at: index).attempt))
  }

  private mutating func drain() {
    guard !isDraining else { return }
    isDraining = true
    if session > 0, !isFenced { post(.release, fence: Fence()) } else { effects.append(.leave) }
  }

  private mutating func announce(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ manifest: Payload) {
    guard let index = index(key, attempt), !samples[index].isHeld else { return }
    let fence = Fence(job: key.job, row: key.row, attempt: attempt, stage: samples[index].stage, step: step)
    samples[index].snapshot = (step, post(.snapshot, manifest, fence: fence))
  }

  // MARK: - Steps

  /// Has a step computed for which everything is there.
  private mutating func begin(_ index: Int) {
    let sample = samples[index]
    guard sample.hasCondition, !sample.awaitsSnapshot, !sample.isComputing, let order = sample.order,
      order.step == sample.step
    else { return }
    // The first stage alone measures.
    if order.order.kind == .measure, sample.stage > 0 {
      samples[index].order = nil
      effects.append(.skipInput(sample.key, attempt: sample.attempt, step: order.step))
      return finish(sample.key, sample.attempt, order.step, .stepDone(StepReport(microseconds: 0)), .empty)
    }
    guard sample.hasInput else { return }
    samples[index].isComputing = true
    if sample.isHeld { reportsHeld = true }
    samples[index].order = nil
    effects.append(
      .compute(sample.key, attempt: sample.attempt, step: order.step, order.order, labels: order.labels))
  }

  private mutating func finish(
    _ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ body: MessageBody, _ payload: Payload
  ) {
    guard let index = index(key, attempt) else { return }
    samples[index].isComputing = false
    samples[index].hasInput = false
    samples[index].step = step + 1
    if case .stepDone(let report) = body {
      samples[index].last = Report(step: step, report: report, labels: payload)
    }
    guard !samples[index].isHeld else {
      reportsHeld = true
      // Nobody wants to know why it has failed; it is done again.
      if case .failed = body { close(key) }
      return
    }
    let fence = Fence(job: key.job, row: key.row, attempt: attempt, stage: samples[index].stage, step: step)
    post(body, payload, fence: fence)
  }
}
