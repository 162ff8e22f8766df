import Messaging

@testable import RenderCluster

/// The stages of the workers, and the samples in them.
extension Simulation {
  func load(_ assignment: Assignment, _ attempt: UInt32, _ number: UInt32, _ worker: SimulatedWorker) {
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
    // The last stage sends as the worker that it is at: those of several pipelines send to the same coordinator.
    let isLast = next == 0
    let incarnation =
      isLast || bug == .stagesByTheirProcesses
      ? UInt64(worker.started) : LineName.incarnation(epoch: loading.epoch, attempt: attempt)
    worker.stage = .init(
      attempt: attempt, number: loading.number, epoch: loading.epoch, blocks: blocks,
      line: line(
        from: worker.index, to: next, as: isLast ? worker.name : LineName.stage(loading.number),
        incarnation: incarnation))
    apply(.loaded(attempt: attempt, residentBytes: 0), worker)
  }

  func unload(_ worker: SimulatedWorker) {
    worker.loading = nil
    for sample in worker.samples { close(sample.key, sample.attempt, worker) }
    for line in [worker.stage?.line, worker.resultLine].compactMap({ $0 }) { lines[line.number] = nil }
    worker.resultLine = nil
    worker.stage = nil
    worker.computation += 1
    worker.running = nil
    worker.queue = []
  }

  // MARK: - Samples

  func fence(_ sample: SimulatedWorker.Sample, _ step: UInt32, stage: UInt32) -> Fence {
    Fence(
      epoch: sample.epoch, job: sample.key.job, row: sample.key.row, attempt: sample.attempt, stage: stage, step: step)
  }

  func open(
    _ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ opening: SampleOpening, _ settings: Payload,
    _ worker: SimulatedWorker
  ) {
    guard let stage = worker.stage else { return }
    checkOpening(key, attempt, stage, worker)
    worker.openings += 1
    let sample = SimulatedWorker.Sample(
      key: key, id: worker.openings, epoch: worker.core.fence.epoch, attempt: attempt,
      hasPrompt: opening.textTokens > 0, settings: settings.hash)
    worker.samples.append(sample)
    do {
      if opening.textTokens > 0 { try worker.server.expect(.prompt, fence(sample, 0, stage: stage.number)) }
    } catch { violation("\(worker.name) cannot expect a prompt: \(error)") }
    expectInput(key, attempt, step, worker)
    if opening.textTokens == 0 { begin(key, attempt, condition: 0, worker) }
  }

  private func begin(_ key: SampleKey, _ attempt: UInt32, condition: UInt64, _ worker: SimulatedWorker) {
    apply(.conditionIsHere(key, attempt: attempt), worker)
    guard let index = worker.sample(key, attempt) else { return }
    push(
      .opened(
        worker.index, life: worker.life, key, attempt: attempt, condition: condition,
        epoch: worker.samples[index].epoch),
      after: random.milliseconds(0...5))
  }

  func finishOpening(
    _ key: SampleKey, _ attempt: UInt32, condition: UInt64, epoch: UInt64, _ worker: SimulatedWorker
  ) {
    guard worker.state != .hung, let stage = worker.stage, let index = worker.sample(key, attempt),
      worker.samples[index].epoch == epoch
    else { return }
    let id = worker.samples[index].id
    if bug == .survivorsKeepTheirCaches,
      let old = worker.caches.firstIndex(where: { $0.key == key && $0.cache.blocks == stage.blocks })
    {
      worker.caches[old] = .init(key: key, id: id, cache: worker.caches[old].cache)
    } else {
      let cache = SimulatedCache(stage.blocks, condition: condition, settings: worker.samples[index].settings)
      worker.caches.append(.init(key: key, id: id, cache: cache))
    }
    apply(.conditionArrived(key, attempt: attempt), worker)
    restoreIfComplete(key, attempt, worker)
  }

  func expectInput(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ worker: SimulatedWorker) {
    guard let stage = worker.stage, let index = worker.sample(key, attempt) else { return }
    do {
      let fence = fence(worker.samples[index], step, stage: stage.number)
      try worker.server.expect(stage.number == 0 ? .latents : .image, fence)
    } catch { violation("\(worker.name) cannot expect an input: \(error)") }
  }

  func take(_ arrival: TensorInbox.Arrival, _ worker: SimulatedWorker) {
    if arrival.plan.stream == .state { return takeState(arrival, worker) }
    let key = arrival.fence.sample
    let value = arrival.payload.hash
    if bug == .lateInputsTaken, arrival.plan.stream != .prompt,
      let index = worker.samples.firstIndex(where: { $0.key == key })
    {
      worker.samples[index].input = value
      let sample = worker.samples[index]
      return apply(.inputArrived(key, attempt: sample.attempt, step: sample.step), worker)
    }
    guard worker.stage != nil, let index = worker.sample(key, arrival.fence.attempt),
      worker.samples[index].epoch == arrival.fence.epoch
    else { return }
    if arrival.plan.stream == .prompt {
      begin(key, arrival.fence.attempt, condition: value, worker)
    } else {
      worker.samples[index].input = value
      apply(.inputArrived(key, attempt: arrival.fence.attempt, step: arrival.fence.step), worker)
    }
  }

  func compute(
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
        key: key, id: worker.samples[index].id, step: step, order: order,
        labels: UInt16(truncatingIfNeeded: labels.hash),
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
    let cache = worker.caches.firstIndex { $0.id == task.id }
    if let cache, let index = worker.samples.firstIndex(where: { $0.id == task.id }) {
      let attempt = worker.samples[index].attempt
      if task.order.kind == .measure {
        let signal = worker.caches[cache].cache.measure(task.input, numerics: worker.numerics)
        let report = StepReport(
          microseconds: UInt64(now - worker.computationStart), clockMicroseconds: UInt64(worker.computationStart),
          signal: signal)
        apply(.computed(task.key, attempt: attempt, step: task.step, report, labels: .empty), worker)
        return computeNext(worker)
      }
      let (output, label) = worker.caches[cache].cache.compute(
        task.input, step: Int(task.step), distance: task.order.distance, labels: task.labels,
        numerics: worker.numerics)
      let fence = fence(worker.samples[index], task.step, stage: stage.number + 1)
      let isLast = stage.line.receiver == 0
      if isLast, bug != .oldOutputGivenAgain || worker.samples[index].lastOutput == nil {
        worker.samples[index].lastOutput = (task.step, output)
      }
      stage.line.add(SimulatedTensorServer.plan(isLast ? .output : .image), Payload(hash: output), fence: fence)
      pump(stage.line)
      let labels = label.map { Payload([UInt8(truncatingIfNeeded: $0), UInt8($0 >> 8)]) } ?? .empty
      let report = StepReport(
        microseconds: UInt64(now - worker.computationStart), clockMicroseconds: UInt64(worker.computationStart),
        labels: label == nil ? [] : [LabelledStream(.image, tokens: 1, clusters: 65535)])
      apply(.computed(task.key, attempt: attempt, step: task.step, report, labels: labels), worker)
    }
    computeNext(worker)
  }

  func close(_ key: SampleKey, _ attempt: UInt32, _ worker: SimulatedWorker) {
    guard let index = worker.sample(key, attempt) else { return }
    let sample = worker.samples.remove(at: index)
    forgetTensors(sample, worker)
    worker.snapshots.removeAll { $0.key == key && $0.attempt == attempt }
    worker.queue.removeAll { $0.id == sample.id }
    if bug != .survivorsKeepTheirCaches { worker.caches.removeAll { $0.id == sample.id } }
  }

  private func forgetTensors(_ sample: SimulatedWorker.Sample, _ worker: SimulatedWorker) {
    let isOver: (Fence) -> Bool = {
      $0.sample == sample.key && ($0.epoch, $0.attempt) == (sample.epoch, sample.attempt)
    }
    if bug != .lateInputsTaken { worker.server.cancel(where: isOver) }
    worker.stage?.line.drop(where: isOver)
    worker.resultLine?.drop(where: isOver)
  }

  // MARK: - Another coordinator

  func adopt(_ attempt: UInt32, _ worker: SimulatedWorker) {
    worker.stage?.attempt = attempt
    worker.stage?.epoch = worker.core.fence.epoch
  }

  func resume(
    _ key: SampleKey, held: UInt32, _ attempt: UInt32, _ step: UInt32, isOutputWanted: Bool, _ worker: SimulatedWorker
  ) {
    guard let stage = worker.stage, let index = worker.sample(key, held) else {
      return violation("\(worker.name) is to go on with \(key), which it does not have")
    }
    forgetTensors(worker.samples[index], worker)
    worker.snapshots.removeAll { $0.key == key }
    (worker.samples[index].epoch, worker.samples[index].attempt) = (worker.core.fence.epoch, attempt)
    worker.samples[index].input = nil
    if bug == .oneStageBeginsAnew, stage.number > 0, let cache = worker.cache(key, attempt) {
      let condition = job(key.job)?.condition(Int(key.row)) ?? 0
      worker.caches[cache].cache = SimulatedCache(
        stage.blocks, condition: condition, settings: worker.samples[index].settings)
    }
    expectInput(key, attempt, step, worker)
    guard isOutputWanted else { return }
    situations.insert(.answeredAgain)
    guard stage.line.receiver == 0, let last = worker.samples[index].lastOutput,
      last.step + 1 == step || bug == .oldOutputGivenAgain
    else { return }
    stage.line.add(
      SimulatedTensorServer.plan(.output), Payload(hash: last.value),
      fence: fence(worker.samples[index], step - 1, stage: stage.number + 1))
    pump(stage.line)
  }
}
