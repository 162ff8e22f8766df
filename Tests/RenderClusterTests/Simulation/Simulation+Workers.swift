import Messaging
import Tensors

@testable import RenderCluster

/// What a worker's process does: as `Worker` does, but for the bugs that are planted.
extension Simulation {
  static let tickMicroseconds: Int64 = 500_000
  private static let helloPatienceMicroseconds: Int64 = 2_000_000

  func launch(_ worker: SimulatedWorker, numerics: UInt64 = 0) {
    worker.start(numerics: numerics)
    push(.connect(worker.index, life: worker.life), after: random.milliseconds(1...300))
    push(.workerTick(worker.index, life: worker.life), after: random.milliseconds(1...500))
  }

  func tick(_ worker: SimulatedWorker) {
    push(.workerTick(worker.index, life: worker.life), after: Self.tickMicroseconds)
    if let sent = worker.helloSent, now - sent > Self.helloPatienceMicroseconds { sayHello(worker) }
    applyTick(worker)
    if let line = worker.stage?.line { pump(line) }
  }

  /// A connection to the coordinator is there.
  func connect(_ worker: SimulatedWorker) {
    guard !isCut(from: worker.index, to: 0), !isCut(from: 0, to: worker.index) else {
      return push(.connect(worker.index, life: worker.life), after: 300_000)
    }
    lastConnection += 1
    worker.connection = lastConnection
    worker.isConnected = true
    sayHello(worker)
  }

  func disconnect(_ worker: SimulatedWorker) {
    guard worker.isUp, worker.isConnected else { return }
    worker.isConnected = false
    push(.connect(worker.index, life: worker.life), after: random.milliseconds(50...2000))
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
    worker.end()
    push(.start(worker.index, life: worker.life), after: random.milliseconds(500...4000))
  }

  /// A process dies.
  func crash(_ worker: SimulatedWorker, restarts: Bool = true) {
    guard worker.isUp else { return }
    log("\(worker.name) crashes")
    worker.end()
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

  private func perform(_ effect: WorkerEffect, _ worker: SimulatedWorker) {
    switch effect {
    case .send(let message, let payload): send(message, payload, worker)
    case .load(let assignment, let attempt, let number): load(assignment, attempt, number, worker)
    case .unload: unload(worker)
    case .open(let key, let attempt, let opening, let settings): open(key, attempt, opening, settings, worker)
    case .expectInput(let key, let attempt, let step): expectInput(key, attempt, step, worker)
    case .skipInput(let key, let attempt, let step):
      worker.server.cancel { $0.sample == key && $0.attempt == attempt && $0.step == step }
      expectInput(key, attempt, step + 1, worker)
    case .compute(let key, let attempt, let step, let order, let labels):
      compute(key, attempt, step, order, labels, worker)
    case .close(let key, let attempt): close(key, attempt, worker)
    case .greet: if bug != .lostWorkersUnanswered { sayHello(worker) }
    case .leave: leave(worker)
    case .note(let text): log("\(worker.name): \(text)")
    }
  }

  // MARK: - The stage

  private func load(_ assignment: Assignment, _ attempt: UInt32, _ number: UInt32, _ worker: SimulatedWorker) {
    unload(worker)
    worker.server.raiseFloor(epoch: worker.core.fence.epoch, attempt: attempt)
    worker.loading = (assignment, attempt, number, worker.core.fence.epoch)
    log("\(worker.name) loads \(assignment.blocks) of attempt \(attempt)")
    push(.loaded(worker.index, life: worker.life, attempt: attempt), after: random.milliseconds(100...2000))
  }

  func finishLoading(_ attempt: UInt32, _ worker: SimulatedWorker) {
    guard worker.state != .hung, let loading = worker.loading, loading.attempt == attempt,
      loading.epoch == worker.core.fence.epoch
    else { return }
    worker.loading = nil
    if now < rates.end, random.chance(rates.loadFailure) {
      loadFailures += 1
      return apply(.failedToLoad(attempt: attempt, StageFailure(.storage, "a disk is broken")), worker)
    }
    let blocks = Int(loading.assignment.blocks.lowerBound)..<Int(loading.assignment.blocks.upperBound)
    let next = loading.assignment.next.flatMap { Int($0.address) } ?? 0
    worker.stage = .init(
      attempt: attempt, number: loading.number, epoch: loading.epoch, blocks: blocks,
      line: line(from: worker.index, to: next))
    apply(.loaded(attempt: attempt, residentBytes: 0), worker)
  }

  private func unload(_ worker: SimulatedWorker) {
    worker.loading = nil
    for sample in worker.samples { close(sample.key, sample.attempt, worker) }
    if let line = worker.stage?.line { lines[line.number] = nil }
    worker.stage = nil
    worker.computation += 1
    worker.running = nil
    worker.queue = []
  }

  // MARK: - Samples

  private func fence(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ stage: SimulatedWorker.Stage) -> Fence {
    Fence(
      epoch: stage.epoch, job: key.job, row: key.row, attempt: attempt, stage: stage.number, step: step)
  }

  private func open(
    _ key: SampleKey, _ attempt: UInt32, _ opening: SampleOpening, _ settings: Payload, _ worker: SimulatedWorker
  ) {
    guard let stage = worker.stage else { return }
    checkOpening(key, attempt, stage, worker)
    worker.samples.append(
      .init(key: key, attempt: attempt, hasPrompt: opening.textTokens > 0, settings: settings.hash))
    do {
      if opening.textTokens > 0 { try worker.server.expect(.prompt, fence(key, attempt, 0, stage)) }
    } catch { violation("\(worker.name) cannot expect a prompt: \(error)") }
    expectInput(key, attempt, 0, worker)
    if opening.textTokens == 0 { begin(key, attempt, condition: 0, worker) }
  }

  private func begin(_ key: SampleKey, _ attempt: UInt32, condition: UInt64, _ worker: SimulatedWorker) {
    guard let stage = worker.stage else { return }
    push(
      .opened(
        worker.index, life: worker.life, key, attempt: attempt, condition: condition, epoch: stage.epoch),
      after: random.milliseconds(0...5))
  }

  func finishOpening(
    _ key: SampleKey, _ attempt: UInt32, condition: UInt64, epoch: UInt64, _ worker: SimulatedWorker
  ) {
    guard worker.state != .hung, let stage = worker.stage, stage.epoch == epoch,
      let index = worker.sample(key, attempt)
    else { return }
    if bug == .survivorsKeepTheirCaches,
      let old = worker.caches.firstIndex(where: { $0.key == key && $0.cache.blocks == stage.blocks })
    {
      worker.caches[old] = .init(key: key, attempt: attempt, cache: worker.caches[old].cache)
    } else {
      let cache = SimulatedCache(stage.blocks, condition: condition, settings: worker.samples[index].settings)
      worker.caches.append(.init(key: key, attempt: attempt, cache: cache))
    }
    apply(.conditionArrived(key, attempt: attempt), worker)
  }

  private func expectInput(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ worker: SimulatedWorker) {
    guard let stage = worker.stage, worker.sample(key, attempt) != nil else { return }
    do {
      try worker.server.expect(stage.number == 0 ? .latents : .image, fence(key, attempt, step, stage))
    } catch { violation("\(worker.name) cannot expect an input: \(error)") }
  }

  func take(_ arrival: TensorInbox.Arrival, _ worker: SimulatedWorker) {
    let key = arrival.fence.sample
    let value = arrival.payload.hash
    if bug == .lateInputsTaken, arrival.plan.stream != .prompt,
      let index = worker.samples.firstIndex(where: { $0.key == key })
    {
      worker.samples[index].input = value
      let sample = worker.samples[index]
      return apply(.inputArrived(key, attempt: sample.attempt, step: sample.step), worker)
    }
    guard worker.stage != nil, let index = worker.sample(key, arrival.fence.attempt) else { return }
    if arrival.plan.stream == .prompt {
      begin(key, arrival.fence.attempt, condition: value, worker)
    } else {
      worker.samples[index].input = value
      apply(.inputArrived(key, attempt: arrival.fence.attempt, step: arrival.fence.step), worker)
    }
  }

  private func compute(
    _ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ order: StepOrder, _ labels: Payload,
    _ worker: SimulatedWorker
  ) {
    guard let index = worker.sample(key, attempt), let input = worker.samples[index].input else {
      return violation("\(worker.name) is to compute step \(step) of \(key) without its input")
    }
    worker.samples[index].input = nil
    worker.samples[index].step = step + 1
    worker.queue.append(
      .init(
        key: key, attempt: attempt, step: step, order: order, labels: UInt16(truncatingIfNeeded: labels.hash),
        input: input))
    computeNext(worker)
  }

  private func computeNext(_ worker: SimulatedWorker) {
    guard worker.running == nil, let stage = worker.stage, !worker.queue.isEmpty else { return }
    let place = worker.queue.firstIndex { $0.order.kind != .full } ?? 0
    let task = worker.queue.remove(at: place)
    worker.running = task
    worker.computation += 1
    worker.computationStart = now
    let operations = Int64(stage.blocks.count * Self.operations / (task.order.kind == .full ? 1 : 10))
    let duration = operations * 1_000_000 / Int64(worker.operationsPerSecond) * (worker.isSlow ? 4 : 1)
    worker.computationEnd = now + max(1, duration)
    push(
      .computed(worker.index, life: worker.life, computation: worker.computation), after: max(1, duration))
  }

  func finishComputing(_ computation: Int, _ worker: SimulatedWorker) {
    guard worker.state != .hung, worker.computation == computation, let task = worker.running, let stage = worker.stage
    else { return }
    if let poison = job(task.key.job)?.poison, poison.step == task.step, stage.blocks.contains(poison.block) {
      return crash(worker)
    }
    if worker.isFlaky, random.chance(0.3) {
      blameFaults()
      return crash(worker)
    }
    worker.running = nil
    worker.finishedBlocks += UInt64(stage.blocks.count)
    let cache = worker.caches.firstIndex { $0.key == task.key && $0.attempt == task.attempt }
    if let cache, worker.sample(task.key, task.attempt) != nil {
      if task.order.kind == .measure {
        let signal = worker.caches[cache].cache.measure(task.input, numerics: worker.numerics)
        let report = StepReport(
          microseconds: UInt64(now - worker.computationStart), clockMicroseconds: UInt64(worker.computationStart),
          signal: signal)
        apply(.computed(task.key, attempt: task.attempt, step: task.step, report, labels: .empty), worker)
        return computeNext(worker)
      }
      let (output, label) = worker.caches[cache].cache.compute(
        task.input, step: Int(task.step), distance: task.order.distance, labels: task.labels,
        numerics: worker.numerics)
      var fence = fence(task.key, task.attempt, task.step, stage)
      fence.stage += 1
      let isLast = stage.line.receiver == 0
      stage.line.add(SimulatedTensorServer.plan(isLast ? .output : .image), Payload(hash: output), fence: fence)
      pump(stage.line)
      let labels = label.map { Payload([UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)]) } ?? .empty
      let report = StepReport(
        microseconds: UInt64(now - worker.computationStart), clockMicroseconds: UInt64(worker.computationStart),
        labels: label == nil ? [] : [LabelledStream(.image, tokens: 1, clusters: 65535)])
      apply(.computed(task.key, attempt: task.attempt, step: task.step, report, labels: labels), worker)
    }
    computeNext(worker)
  }

  private func close(_ key: SampleKey, _ attempt: UInt32, _ worker: SimulatedWorker) {
    guard let index = worker.sample(key, attempt) else { return }
    worker.samples.remove(at: index)
    let isOver: (Fence) -> Bool = { $0.sample == key && $0.attempt == attempt }
    if bug != .lateInputsTaken { worker.server.cancel(where: isOver) }
    worker.stage?.line.drop(where: isOver)
    worker.queue.removeAll { $0.key == key && $0.attempt == attempt }
    if bug != .survivorsKeepTheirCaches { worker.caches.removeAll { $0.key == key && $0.attempt == attempt } }
  }
}
