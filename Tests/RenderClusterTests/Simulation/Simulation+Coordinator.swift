import Transformers

@testable import Messaging
@testable import RenderCluster

/// What the coordinator's process does: as `Coordinator` does, but for the bugs that are planted; and its denoisers.
extension Simulation {
  func coordinatorTick() {
    push(.coordinatorTick(life: life), after: Self.tickMicroseconds)
    if remembers { watchDisk() }
    guard !isDown else { return }
    apply(.tick)
    for line in allStageLines { pump(line) }
  }

  /// Everything in its memory is gone. One without a ledger is told again what is to be done.
  func restartCoordinator() {
    guard !remembers else { return crashCoordinator() }
    epoch += 1
    life += 1
    coordinatorStopped = 0
    reasonsToAssign += 2 + jobs.count
    core = makeCore()
    directory = [:]
    coordinatorServer = SimulatedTensorServer()
    closeLines()
    for worker in workers { disconnect(worker) }
    push(.coordinatorTick(life: life), after: 1000)
    for (index, job) in jobs.enumerated() where job.state != .future && !job.isOver {
      job.reset()
      push(.submit(index, life: life), after: 1000)
    }
  }

  func take(_ message: Message, _ payload: Payload, _ worker: SimulatedWorker, connection: Int) {
    if case .hello(var hello) = message.body {
      if bug == .otherNumericsLetIn { hello.numerics = Self.digest(0) }
      if bug == .memoryIgnored { hello.memoryBytes *= 10 }
      let peer = Peer(
        name: worker.name, role: .worker, key: nil, incarnation: hello.incarnation,
        connection: (0..<4).map { UInt8(truncatingIfNeeded: connection >> ($0 * 8)) })
      if let old = directory.first(where: { $0.value.name == peer.name }) {
        guard old.value.incarnation <= peer.incarnation else {
          return send(Message(.refused(Refusal(.replaced)), fence: Fence(epoch: epoch)), .empty, to: peer)
        }
        directory[old.key] = nil
      }
      directory[connection] = peer
      return apply(.hello(hello, from: peer))
    }
    guard let peer = directory[connection] else {
      return transmit(
        .toWorker(
          Message(.refused(Refusal(.unexpected))), .empty, worker: worker.index, connection: connection),
        from: 0, to: worker.index)
    }
    let payload = tamper(held: message, payload)
    var message = message
    if bug == .oldEpochsObeyed { message.fence.epoch = epoch }
    if bug == .sessionsMixed, message.fence.sequence > 0, let index = core.index(of: peer.name) {
      message.fence.sequence =
        UInt64(core.workers[index].session) << 32 | UInt64(UInt32(truncatingIfNeeded: message.fence.sequence))
    }
    apply(.message(message, payload, from: peer))
  }

  func takeEnd(of connection: Int) {
    guard let peer = directory[connection] else { return }
    if hasEnded(peer) { ends.append((now, peer)) }
    if bug == .endOfConnectionIgnored { return }
    if bug == .endOfConnectionIsDeath, let index = core.index(of: peer.name) {
      core.workers[index].disconnected(now: 0)
    }
    log("the connection of \(peer.name) has ended")
    apply(.disconnected(peer))
  }

  private func hasEnded(_ peer: Peer) -> Bool {
    !workers.contains { $0.name == peer.name && $0.isUp && UInt64($0.life) == peer.incarnation }
  }

  private func send(_ message: Message, _ payload: Payload, to peer: Peer) {
    if peer.role == .client, let index = peer.connection.first.map(Int.init) {
      checkSending(message, to: index)
      return transmit(.toClient(index, message), from: 0, to: 0)
    }
    guard let worker = workers.first(where: { $0.name == peer.name }) else { return }
    let connection = (0..<4).reduce(0) { $0 | Int(peer.connection[$1]) << ($1 * 8) }
    transmit(.toWorker(message, payload, worker: worker.index, connection: connection), from: 0, to: worker.index)
  }

  func takeOutput(_ arrival: TensorInbox.Arrival) {
    let fence = arrival.fence
    if arrival.plan.stream == .state { return takeState(arrival) }
    guard let job = job(fence.job), !job.isOver, job.rows[Int(fence.row)].isOpen else { return }
    var (attempt, step) = (fence.attempt, fence.step)
    if bug == .lateOutputsTaken, let record = core.jobs.first(where: { $0.id == job.id }),
      let sample = record.samples.first(where: { $0.key == fence.sample }), let inFlight = sample.inFlight
    {
      (attempt, step) = (sample.attempt, UInt32(inFlight.step))
    }
    let isFirst = job.rows[Int(fence.row)].output.map { ($0.attempt, $0.step) != (attempt, step) } ?? true
    if bug != .lateOutputsTaken || isFirst {
      job.rows[Int(fence.row)].output = (attempt, step, arrival.payload.hash)
    }
    apply(.output(fence.sample, attempt: attempt, step: step))
  }

  // MARK: - Core

  func apply(_ event: CoordinatorEvent) {
    tamper(before: event)
    var effects = core.handle(event, now: now, date: UInt64(now))
    tamper(after: event, &effects)
    note(effects)
    checkAreOpen(effects)
    let (records, atOnce) = held.take(effects)
    let life = life
    write(records)
    for effect in atOnce where life == self.life && !isDown { perform(effect) }
    if bug == .effectBeforeSync { held.durable = held.appended }
    release()
    if !isDown { checkCore() }
  }

  /// Does what waits for nothing any more; the process may end between any two effects.
  func release() {
    let life = life
    while life == self.life, !isDown, let effect = held.next() {
      if remembers, now < rates.end, random.chance(rates.crashBetweenEffects) { return crashCoordinator() }
      perform(effect)
    }
  }

  /// The numbers that jobs are given.
  private func note(_ effects: [CoordinatorEffect]) {
    for effect in effects {
      if case .record(.job(let job), _) = effect, let index = Int(job.request) { jobs[index].id = job.id }
    }
  }

  private func perform(_ effect: CoordinatorEffect) {
    // What was not seen by anybody may be used again.
    lastEpoch = epoch
    switch effect {
    case .send(let message, let payload, let peer): send(message, payload, to: peer)
    case .start(let id): start(id)
    case .end(let id, let ending): end(id, ending)
    case .connect(let attempt, let stages, let oldest):
      coordinatorServer.raiseFloor(epoch: epoch, attempt: oldest)
      coordinatorLines[attempt] = stages.map {
        line(from: 0, to: Int($0.address) ?? 0, as: LineName.coordinator, incarnation: UInt64(now))
      }
    case .disconnect(let attempt):
      for line in coordinatorLines.removeValue(forKey: attempt) ?? [] { lines[line.number] = nil }
    case .sendCondition(let key, let attempt): sendCondition(key, attempt)
    case .sendLatents(let key, let attempt, let step): sendLatents(key, attempt, step)
    case .expectOutput(let key, let attempt, let step): expectOutput(key, attempt, step)
    case .forget(let key, let attempt):
      let isOver: (Fence) -> Bool = { $0.sample == key && $0.attempt == attempt }
      if bug != .lateOutputsTaken { coordinatorServer.cancel(where: isOver) }
      for line in allStageLines { line.drop(where: isOver) }
      dropSnapshot(key, attempt)
    case .expectSnapshot(let key, let attempt, let step, let stage, let manifest):
      expectSnapshot(key, attempt, step, stage, manifest)
    case .dropSnapshot(let key, let attempt): dropSnapshot(key, attempt)
    case .keepSnapshot(let key, let step): keepSnapshot(key, step)
    case .sendSnapshot(let key, let attempt, let step, let stages): sendSnapshot(key, attempt, step, stages)
    case .stepDone(let key, let step, let signal, let labels, let payload):
      finishStep(key, step, signal, labels, payload)
    // There are no tasks, and links are what they are.
    case .computed, .record, .ended, .taskBegun, .taskDone, .taskFailed, .measureLink: break
    case .work(let job): begin(job)
    case .halt(let id): halt(id)
    case .deliver(let job, let peer): deliver(job, to: peer)
    case .discard(let job): pictures[job.id] = nil
    case .note(let text):
      log("coordinator: \(text)")
      checkNote(text)
    }
  }

  func closeLines() {
    for line in allStageLines { lines[line.number] = nil }
    coordinatorLines = [:]
  }

  /// In the order of the pipelines.
  var allStageLines: [SimulatedLine] { coordinatorLines.sorted { $0.key < $1.key }.flatMap(\.value) }

  /// To the stages of a sample.
  func stageLines(of key: SampleKey) -> [SimulatedLine] {
    core.pipeline(of: key).flatMap { coordinatorLines[$0.attempt] } ?? []
  }

  private func fence(_ key: SampleKey, _ attempt: UInt32, stage: Int, step: UInt32) -> Fence {
    Fence(epoch: epoch, job: key.job, row: key.row, attempt: attempt, stage: UInt32(stage), step: step)
  }

  private func sendCondition(_ key: SampleKey, _ attempt: UInt32) {
    guard let job = openJob(key) else { return }
    guard job.hasPrompt else { return }
    for (stage, line) in stageLines(of: key).enumerated() {
      line.add(
        SimulatedTensorServer.plan(.prompt), Payload(hash: job.condition(Int(key.row))),
        fence: fence(key, attempt, stage: stage, step: 0))
      pump(line)
    }
  }

  private func sendLatents(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32) {
    guard let job = openJob(key), let first = stageLines(of: key).first else { return }
    let row = job.rows[Int(key.row)]
    guard row.latents.indices.contains(Int(step)) else {
      return violation("step \(step) of \(key) begins without latents")
    }
    expectOutput(key, attempt, step)
    first.add(
      SimulatedTensorServer.plan(.latents),
      Payload(hash: row.latents[bug == .replayWithTheNewestLatents ? row.latents.count - 1 : Int(step)]),
      fence: fence(key, attempt, stage: 0, step: step))
    pump(first)
  }

  private func expectOutput(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32) {
    guard let job = openJob(key) else { return }
    let row = job.rows[Int(key.row)]
    if attempt < row.attempt { violation("\(key) goes back from attempt \(row.attempt) to \(attempt)") }
    job.rows[Int(key.row)].attempt = attempt
    guard !job.measures(Int(step)) else { return }
    do {
      let stages = core.pipeline(of: key)?.plan.stages.count ?? 0
      try coordinatorServer.expect(.output, fence(key, attempt, stage: stages, step: step))
    } catch { violation("the output of step \(step) of \(key) cannot be expected: \(error)") }
  }

  // MARK: - Jobs

  func submit(_ index: Int) {
    let job = jobs[index]
    guard !job.isOver || remembers, !remembers || job.state == .submitted else { return }
    job.state = .submitted
    log("job \(job.id) is submitted")
    apply(.submitted(job: job.id, job.facts))
    if job.isCancelled { apply(.cancelled(job: job.id)) }
  }

  func cancel(_ index: Int) {
    let job = jobs[index]
    guard !job.isOver, job.state != .future else { return }
    log("job \(job.id) is cancelled")
    job.isCancelled = true
    job.client?.wantsCancel = true
    guard !remembers else { return }
    apply(.cancelled(job: job.id))
  }

  private func start(_ id: UInt64) {
    guard let index = jobs.firstIndex(where: { $0.id == id }) else { return }
    guard jobs[index].state == .submitted else {
      return violation("job \(id) is started, but is \(jobs[index].state)")
    }
    jobs[index].state = .started
    push(.open(index, life: life), after: random.milliseconds(0...20))
  }

  private func end(_ id: UInt64, _ ending: JobEnding) {
    guard let index = jobs.firstIndex(where: { $0.id == id }) else { return }
    log("job \(id) ends: \(ending)")
    guard !remembers else { return endTask(index, ending) }
    checkEnding(jobs[index], ending)
    jobs[index].reason = ending.reason
    if ending.reason == .quarantined { situations.insert(.poisonGivenUp) }
    finish(index, ending.outcome)
  }

  func finish(_ index: Int, _ outcome: JobEnding.Outcome) {
    jobs[index].state = .ended(outcome)
    openJobs -= 1
    push(.leave(index, life: life), after: random.milliseconds(0...20))
  }

  /// The stages do no more for a job of the ledger; the core has written down why, unless its task was cancelled.
  private func endTask(_ index: Int, _ ending: JobEnding) {
    let job = jobs[index]
    guard job.state == .submitted || job.state == .started else { return }
    job.hasFailed = true
    job.state = .idle
    job.failure = ending.outcome == .failed ? JobError(ending.reason ?? .internal, ending.text) : nil
    push(.leave(index, life: life), after: random.milliseconds(0...20))
  }

  /// The denoiser lets go of all it has.
  func leave(_ index: Int) {
    let job = jobs[index]
    for row in job.rows.indices where job.rows[row].isOpen {
      job.rows[row].isOpen = false
      apply(.closed(SampleKey(job: job.id, row: UInt32(row))))
    }
    apply(.finished(job: job.id))
    if let failure = job.failure { apply(.failed(job: job.id, failure)) }
    job.failure = nil
  }

  func open(_ index: Int) {
    let job = jobs[index]
    guard job.state == .started else { return }
    for row in job.rows.indices {
      let opening = SampleOpening(
        guidance: 1, rows: 1, columns: 1, seed: job.seed, steps: UInt32(job.facts.steps),
        textTokens: job.hasPrompt ? 1 : 0)
      job.rows[row].isOpen = true
      job.rows[row].before = job.answers[row].count
      apply(
        .opened(
          SampleKey(job: job.id, row: UInt32(row)), opening, settings: Payload(hash: job.settings(row)),
          answers: job.answers[row].count))
    }
    guard job.state == .started else { return }
    push(.want(index, life: life), after: random.milliseconds(0...20))
  }

  func want(_ index: Int) {
    let job = jobs[index]
    guard job.state == .started else { return }
    let step = job.rows[0].done
    let latents =
      step == 0
      ? job.seed
      : job.measures(step - 1)
        ? job.rows[0].latents[step - 1] : job.next(job.rows[0].latents[step - 1], outputs: job.rows.map(\.result))
    for row in job.rows.indices where job.state == .started {
      job.rows[row].latents.append(latents)
      // A process before this one may have been given it.
      let isKnown = step < job.rows[row].before
      if isKnown {
        job.rows[row].result = job.answers[row][bug == .answersOfOtherSteps ? max(0, step - 1) : step]
        job.rows[row].done += 1
      } else {
        job.rows[row].waiting = step
      }
      apply(.wanted(SampleKey(job: job.id, row: UInt32(row)), job.request(row, step)))
    }
    if job.state == .started, job.rows.allSatisfy({ $0.waiting == nil }) { goOn(index) }
  }

  private func finishStep(
    _ key: SampleKey, _ step: UInt32, _ signal: Float?, _ labels: [LabelledStream], _ payload: Payload
  ) {
    guard let job = openJob(key), let index = jobs.firstIndex(where: { $0 === job }) else { return }
    checkStep(job, key, step, signal, payload)
    job.rows[Int(key.row)].waiting = nil
    job.rows[Int(key.row)].result = job.rows[Int(key.row)].output?.value ?? 0
    job.rows[Int(key.row)].output = nil
    job.rows[Int(key.row)].done += 1
    job.misfortunes = 0
    if remembers { job.answers[Int(key.row)].append(job.rows[Int(key.row)].result) }
    if job.rows.allSatisfy({ $0.waiting == nil && $0.done == job.rows[0].done }) { goOn(index) }
  }

  /// All rows of a step are done.
  private func goOn(_ index: Int) {
    let job = jobs[index]
    if job.rows[0].done < job.facts.steps {
      push(.want(index, life: life), after: random.milliseconds(0...50))
    } else if remembers {
      log("job \(job.id) has all its steps")
      job.state = .storing
      push(.leave(index, life: life), after: random.milliseconds(0...20))
      push(.store(index, life: life), after: random.milliseconds(0...500))
    } else {
      log("job \(job.id) is done")
      finish(index, .done)
    }
  }
}
