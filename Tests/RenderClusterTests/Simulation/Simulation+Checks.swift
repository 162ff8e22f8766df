import Messaging

@testable import RenderCluster

/// What must hold at all times.
extension Simulation {
  private static let mostMessages = 400
  /// A step that stands still because tensors do not get through is given up within this time.
  private static let stallMicroseconds: Int64 = 15_000_000
  /// After the end of a connection, with the time between two ticks.
  private static let noticeMicroseconds: Int64 = 3_000_000
  /// So long after something went wrong all messages get through that should.
  private static let calm: Int64 = 6_000_000
  /// An innocent job may be given up if so many faults hit it since it last got further.
  private static let fewestMisfortunes = 3

  /// After each event of the coordinator.
  func checkCore() {
    for worker in core.workers where worker.outbox.count > Self.mostMessages {
      violation("\(worker.outbox.count) messages wait for \(worker.name)")
    }
    checkEndsAreNoticed()
    meetStates()
    for line in allStageLines where line.count > Self.mostMessages {
      violation("\(line.count) tensors wait for w\(line.receiver)")
    }
  }

  /// A process that has ended, and whose connection the coordinator knows to have, is missed before it is silent for long.
  private func checkEndsAreNoticed() {
    ends.removeAll { end in !core.workers.contains { $0.peer == end.peer } }
    for end in ends where now - end.time > Self.noticeMicroseconds && coordinatorStopped < end.time {
      violation("\(end.peer.name) is not missed, whose connection ended \((now - end.time) / 1000) ms ago")
    }
  }

  /// A worker that can be heard is not given up for the end of a connection.
  private func checkConnectionLoss(_ text: String) {
    guard text.contains("its connection has ended"),
      rates.loss == 0 && rates.lateness == 0 || now > rates.end + Self.calm,
      now > max(lastCut, coordinatorStopped) + Self.calm,
      let worker = workers.first(where: { text.contains("worker \($0.name) is lost") }),
      worker.state == .running, worker.isConnected, now > worker.troubled + Self.calm
    else { return }
    violation("\(worker.name) is well: \(text)")
  }

  /// Nothing is to be done for a sample that was closed before.
  func checkAreOpen(_ effects: [CoordinatorEffect]) {
    for effect in effects {
      guard let key = effect.sample else { continue }
      guard let job = job(key.job) else { return violation("\(effect) of an unknown job") }
      if job.hasFailed { violation("\(effect) of a job that has ended") }
      if !job.rows[Int(key.row)].isOpen { violation("\(effect) of a sample that is closed") }
    }
  }

  /// The job of an effect; nil if the sample has been closed since, while the effect waited for the disk.
  func openJob(_ key: SampleKey) -> SimulatedJob? {
    job(key.job).flatMap { $0.isOver || !$0.rows[Int(key.row)].isOpen ? nil : $0 }
  }

  func checkStep(_ job: SimulatedJob, _ key: SampleKey, _ step: UInt32, _ signal: Float?, _ labels: Payload) {
    let row = job.rows[Int(key.row)]
    guard row.waiting == Int(step) else {
      return violation("step \(step) of \(key) is done, but \(row.waiting.map(String.init) ?? "none") is wanted")
    }
    let reference = job.references[Int(key.row)][Int(step)]
    if signal != reference.signal { violation("step \(step) of \(key) has the signal \(signal ?? -1)") }
    if job.measures(Int(step)) { return }
    guard let output = row.output else { return violation("step \(step) of \(key) is done without an output") }
    guard output.attempt == row.attempt, output.step == step else {
      return violation("step \(step) of \(key) is done with the output of \(output), in attempt \(row.attempt)")
    }
    if output.value != reference.output { violation("step \(step) of \(key) has a wrong output") }
    if UInt16(truncatingIfNeeded: labels.hash) != reference.label ?? 0 {
      violation("step \(step) of \(key) has wrong labels")
    }
  }

  func checkEnding(_ job: SimulatedJob, _ ending: JobEnding) {
    if job.hasFailed { violation("job \(job.id) ends twice") }
    job.hasFailed = true
    switch ending.outcome {
    case .done: violation("job \(job.id) is done by the core")
    case .cancelled: if !job.isCancelled { violation("job \(job.id) is cancelled by nobody") }
    case .failed: checkBlame(job, ending)
    }
  }

  /// Who has poisoned nothing fails only if the world was cruel.
  func checkBlame(_ job: SimulatedJob, _ ending: JobEnding) {
    guard job.poison == nil, ending.reason != .storage || loadFailures == 0,
      ending.reason != .memory || rates.waitsForWorkers
    else { return }
    if job.misfortunes < Self.fewestMisfortunes {
      violation("job \(job.id) is innocent, and fails after \(job.misfortunes) faults: \(ending.text)")
    }
  }

  func checkOpening(_ key: SampleKey, _ attempt: UInt32, _ stage: SimulatedWorker.Stage, _ worker: SimulatedWorker) {
    guard stage.epoch == worker.core.fence.epoch else { return violation("\(worker.name) opens in an old epoch") }
    if let newest = worker.newestOpening, newest.epoch == stage.epoch, newest.attempt >= attempt {
      violation("\(worker.name) opens attempt \(attempt) of \(key) after \(newest.attempt)")
    }
    worker.newestOpening = (stage.epoch, attempt)
    guard let facts = job(key.job)?.facts else { return violation("\(worker.name) opens an unknown job") }
    let samples = worker.samples.reduce(facts.blocks.sampleBytes(stage.blocks)) {
      $0 + (job($1.key.job)?.facts.blocks.sampleBytes(stage.blocks) ?? 0)
    }
    let weights = facts.blocks[stage.blocks].reduce(0) { $0 + $1.weightBytes }
    let bytes = weights + samples + facts.overheadBytes
    if bytes > worker.memoryBytes {
      violation("\(worker.name) holds \(bytes) bytes, but has \(worker.memoryBytes)")
    }
  }

  func checkRefusal(_ refusal: Refusal, _ worker: SimulatedWorker) {
    if refusal.reason == .replaced, worker.state != .hung {
      violation("\(worker.name) is told to go, but computes: \(refusal.text)")
    }
  }

  func checkNote(_ text: String) {
    meet(text)
    checkConnectionLoss(text)
    if text.contains("is set aside"), let worker = text.split(separator: " ").dropFirst(2).first {
      // The operator is told, and looks after it.
      push(.readmit(worker: String(worker)), after: random.milliseconds(1000...20_000))
    }
    // Pipelines that are made together count once.
    if text.hasPrefix("Stages for"), lastAssignment != now { (assignments, lastAssignment) = (assignments + 1, now) }
    let reasons = [
      "is here", "is lost", "blocks again", "is set aside", "has room again", "being drained", "could not load",
      "do not get through",
    ]
    if reasons.contains(where: { text.contains($0) }) { reasonsToAssign += 1 }
    if assignments > reasonsToAssign { violation("stages are assigned \(assignments) times") }
    let isReachable = workers.first { text.contains("worker \($0.name) ") }?.isUp ?? true
    if text.contains("do not get through"), isReachable, now > lastCut + Self.stallMicroseconds {
      violation("a step stood still, but nothing is cut: \(text)")
    }
  }

  /// When all is over.
  func checkEnd() {
    if remembers { checkLedgerEnd() }
    for job in jobs where !remembers {
      if job.poison != nil, job.state == .ended(.done) { violation("the poison job \(job.id) is done") }
      if !job.isOver { violation("job \(job.id) has no end") }
    }
    for worker in workers where worker.state == .running {
      if worker.isDraining { violation("\(worker.name) is drained, and was never let go") }
      // One that has just come back is not done with greeting.
      guard let record = core.workers.first(where: { $0.name == worker.name }), worker.helloSent == nil,
        record.peer.incarnation == UInt64(worker.life)
      else { continue }
      let count = record.outbox.count + worker.core.outbox.count
      if count > 0 { violation("\(count) messages between the coordinator and \(worker.name) never arrive") }
    }
  }
}

extension CoordinatorEffect {
  /// What is to be done for.
  fileprivate var sample: SampleKey? {
    switch self {
    case .sendCondition(let key, _), .sendLatents(let key, _, _), .expectOutput(let key, _, _),
      .expectSnapshot(let key, _, _, _, _), .keepSnapshot(let key, _), .sendSnapshot(let key, _, _, _),
      .stepDone(let key, _, _, _, _):
      key
    default: nil
    }
  }
}
