import Messaging
import Tensors

@testable import RenderCluster

/// What a worker's process does: as `Worker` does, but for the bugs that are planted.
extension Simulation {
  static let tickMicroseconds: Int64 = 500_000
  private static let helloPatienceMicroseconds: Int64 = 2_000_000

  func launch(_ worker: SimulatedWorker, numerics: UInt64 = 0) {
    worker.start(numerics: numerics)
    (worker.started, worker.troubled) = (now, now)
    push(.connect(worker.index, life: worker.life), after: random.milliseconds(1...300))
    push(.workerTick(worker.index, life: worker.life), after: random.milliseconds(1...500))
  }

  func tick(_ worker: SimulatedWorker) {
    push(.workerTick(worker.index, life: worker.life), after: Self.tickMicroseconds)
    if let sent = worker.helloSent, now - sent > Self.helloPatienceMicroseconds { sayHello(worker) }
    applyTick(worker)
    for line in [worker.stage?.line, worker.resultLine].compactMap({ $0 }) { pump(line) }
  }

  /// A connection to the coordinator is there.
  func connect(_ worker: SimulatedWorker) {
    guard !isCut(from: worker.index, to: 0), !isCut(from: 0, to: worker.index) else {
      return push(.connect(worker.index, life: worker.life), after: 300_000)
    }
    lastConnection += 1
    worker.connection = lastConnection
    worker.isConnected = true
    worker.troubled = now
    sayHello(worker)
  }

  func disconnect(_ worker: SimulatedWorker) {
    guard worker.isUp, worker.isConnected else { return }
    tellEnd(ofConnectionOf: worker)
    worker.isConnected = false
    push(.connect(worker.index, life: worker.life), after: random.milliseconds(50...2000))
  }

  /// The process ends, and with it its connection.
  func end(_ worker: SimulatedWorker) {
    tellEnd(ofConnectionOf: worker)
    worker.end()
  }

  /// The coordinator may be told, and may take the connection for another.
  private func tellEnd(ofConnectionOf worker: SimulatedWorker) {
    guard worker.isConnected, !isCut(from: worker.index, to: 0), random.chance(rates.connectionNotices) else { return }
    let named = random.chance(rates.wrongNotices) ? workers[random.number(0...workers.count - 1)] : worker
    push(.disconnected(connection: named.connection), after: random.milliseconds(0...50))
  }

  func sayHello(_ worker: SimulatedWorker) {
    worker.helloSent = now
    send(worker.hello(), .empty, worker)
  }

  private func send(_ message: Message, _ payload: Payload, _ worker: SimulatedWorker) {
    guard worker.isConnected else { return }
    transmit(
      .toCoordinator(message, payload, worker: worker.index, connection: worker.connection), from: worker.index, to: 0)
  }

  func take(_ message: Message, _ payload: Payload, _ worker: SimulatedWorker) {
    switch message.body {
    case .welcome:
      worker.helloSent = nil
      apply(.message(message, payload), worker)
    case .refused(let refusal):
      switch refusal.reason {
      case .unexpected: sayHello(worker)
      case .denied, .version, .build, .numerics, .replaced:
        checkRefusal(refusal, worker)
        leave(worker)
      default: break
      }
    case .openSample(let opening) where bug == .heldStepsNotCompared && opening.held != nil:
      deliver(tamper(opening, message, worker), payload, worker)
    case .heartbeat(let heartbeat):
      apply(.message(message, payload), worker)
      let isHidden = bug == .hangsUnseen
      let answer = Heartbeat(
        progress: isHidden ? UInt64(now) : worker.progress(now: now),
        block: isHidden || worker.core.isComputing ? 1 : 0, heard: heartbeat.progress,
        clockMicroseconds: UInt64(now))
      send(Message(.heartbeat(answer), fence: worker.core.fence), .empty, worker)
    default: deliver(message, payload, worker)
    }
  }

  private func applyTick(_ worker: SimulatedWorker) {
    guard bug == .nothingSentAgain else { return apply(.tick, worker) }
    for effect in worker.core.handle(.tick, now: now) {
      if case .send = effect { continue }
      perform(effect, worker)
    }
  }

  private func deliver(_ message: Message, _ payload: Payload, _ worker: SimulatedWorker) {
    guard message.fence.sequence > 0 else { return apply(.message(message, payload), worker) }
    let receipt = Message(
      .received(Receipt(acknowledged: message.fence.sequence)), fence: Fence(epoch: message.fence.epoch))
    var message = message
    switch bug {
    case .duplicatesPastTheInbox:
      send(receipt, .empty, worker)
      let session = message.fence.sequence >> 32
      if worker.numbered >> 32 != session { worker.numbered = session << 32 }
      worker.numbered += 1
      message.fence.sequence = worker.numbered
    case .acknowledgedBeforeProcessed:
      send(receipt, .empty, worker)
      return push(.processed(message, payload, worker: worker.index, connection: worker.connection), after: 100_000)
    default: break
    }
    apply(.message(message, payload), worker)
  }

  /// The process ends; whoever looks after it starts another.
  func leave(_ worker: SimulatedWorker) {
    guard worker.isUp else { return }
    log("\(worker.name) leaves")
    end(worker)
    push(.start(worker.index, life: worker.life), after: random.milliseconds(500...4000))
  }

  /// A process dies.
  func crash(_ worker: SimulatedWorker, restarts: Bool = true) {
    guard worker.isUp else { return }
    log("\(worker.name) crashes")
    end(worker)
    // Late ones come when there is another process.
    if random.chance(rates.notices) { push(.gone(worker.index), after: random.milliseconds(1...500)) }
    let delay = restarts || now >= rates.end ? random.milliseconds(200...4000) : max(1, rates.end - now)
    push(.start(worker.index, life: worker.life), after: delay)
  }

  // MARK: - Core

  func apply(_ event: WorkerEvent, _ worker: SimulatedWorker) {
    let life = worker.life
    for effect in worker.core.handle(event, now: now) {
      guard worker.isUp, worker.life == life else { return }
      perform(effect, worker)
    }
  }

  func perform(_ effect: WorkerEffect, _ worker: SimulatedWorker) {
    switch effect {
    case .send(let message, let payload): send(message, payload, worker)
    case .load(let assignment, let attempt, let number): load(assignment, attempt, number, worker)
    case .adopt(_, let attempt, _): adopt(attempt, worker)
    case .unload: unload(worker)
    case .open(let key, let attempt, let step, let opening, let settings):
      open(key, attempt, step, opening, settings, worker)
    case .resume(let key, let held, let attempt, let step, let isOutputWanted):
      resume(key, held: held, attempt, step, isOutputWanted: isOutputWanted, worker)
    case .expectInput(let key, let attempt, let step): expectInput(key, attempt, step, worker)
    case .skipInput(let key, let attempt, let step):
      worker.server.cancel { $0.sample == key && $0.attempt == attempt && $0.step == step }
      expectInput(key, attempt, step + 1, worker)
    case .compute(let key, let attempt, let step, let order, let labels):
      compute(key, attempt, step, order, labels, worker)
    case .close(let key, let attempt): close(key, attempt, worker)
    case .takeSnapshot(let key, let attempt, let step, _): takeSnapshot(key, attempt, step, worker)
    case .sendSnapshot(let key, let attempt, let step): sendSnapshot(key, attempt, step, worker)
    case .expectSnapshot(let key, let attempt, let step, let manifest):
      expectSnapshot(key, attempt, step, manifest, worker)
    // There are no tasks, and nobody measures links.
    case .perform, .dropTasks, .begin: break
    case .greet: if bug != .lostWorkersUnanswered { sayHello(worker) }
    case .leave:
      situations.insert(.drainedWorker)
      leave(worker)
    }
  }
}
