import Messaging

/// The life of jobs in the ledger, from their acceptance to their end.
extension CoordinatorCore {
  /// So many jobs of a model are prepared, their prompts encoded, while they wait for room in the stages.
  private static let preparedJobs = 16
  /// Of a job; whoever came first is told no more.
  private static let mostWatchers = 8

  mutating func begin(filesUpTo last: UInt64) {
    let before = ledger.began
    commit(.began(epoch: identity.epoch))
    if last > ledger.lastJob { commit(.numbered(upTo: last)) }
    for worker in ledger.setAside { noteSetAside(worker.worker, worker.text) }
    awaitHeld(microsecondsSinceLastStart: date > before && before > 0 ? date - before : .max)
    needsWork = true
  }

  // MARK: - Acceptance

  mutating func take(_ submission: JobSubmission, _ asker: Asker) {
    let client = asker.peer.name
    if let known = ledger.job(of: client, key: submission.key) {
      guard known.request == submission.request else {
        return refuse(
          .request, "Under this key job \(known.id) was submitted, whose request is another; take a new key.", asker)
      }
      return accept(known.id, asker)
    }
    let facts: JobSubmission.Facts
    switch submission.verdict {
    case .success(let given): facts = given
    case .failure(let error): return refuse(error.reason, error.description, asker)
    }
    guard !isDiskFull else {
      return refuse(.busy, "The coordinator's disk is full; it accepts jobs again when there is room.", asker)
    }
    if let excess = excess(of: client, with: submission.request) { return refuse(.quota, excess, asker) }
    let job = LedgerJob(
      id: ledger.lastJob + 1, client: client, key: submission.key, request: submission.request, model: facts.model,
      steps: facts.steps, accepted: date, priority: submission.priority)
    commit(.job(job))
    needsWork = true
    accept(job.id, asker)
  }

  /// Why a client has too much to do already for another request; nil if it has not.
  private func excess(of client: String, with request: String) -> String? {
    let load = ledger.openLoads[client, default: ClientLoad()]
    guard load.jobs < identity.jobsOfAClient else {
      return "This client has \(load.jobs) jobs already that have not ended."
    }
    let bytes = load.requestBytes + request.utf8.count
    guard bytes > identity.requestBytesOfAClient else { return nil }
    return "With this one, the requests of this client's jobs that have not ended would take \(bytes) bytes; "
      + "\(identity.requestBytesOfAClient) are allowed."
  }

  private mutating func accept(_ id: UInt64, _ asker: Asker) {
    guard let job = ledger.job(id) else { return }
    send(.accepted(Acceptance(acknowledged: asker.sequence)), job: id, to: asker.peer)
    attend(to: job, asker.peer)
  }

  /// Begins to render those whose turn is near.
  mutating func beginWork() {
    guard needsWork, !isDiskFull else { return }
    needsWork = false
    let inStages = jobs.filter { $0.state == .running }.compactMap { ledger.job($0.id) }
    for id in ledger.lines.next(Self.preparedJobs, beside: inStages) where begun.insert(id).inserted {
      if let job = ledger.job(id) { emit(.work(job)) }
    }
  }

  // MARK: - Progress and end

  /// A sample of a job has done so many orders.
  mutating func advance(_ job: Int, _ done: Int) {
    guard done > jobs[job].mark else { return }
    jobs[job].mark = done
    guard jobs[job].losses > 0 else { return }
    needsAdmission = true
    (jobs[job].losses, jobs[job].blamed) = (0, [])
    if ledger.job(jobs[job].id) != nil { commit(.advanced(job: jobs[job].id, mark: done)) }
  }

  /// A worker was lost, maybe because of a job.
  mutating func blame(_ job: Int, worker: String, _ reason: String) {
    jobs[job].losses += 1
    jobs[job].blamed.append(worker)
    guard ledger.job(jobs[job].id) != nil else { return }
    commit(.lost(job: jobs[job].id, worker: worker, mark: jobs[job].mark, text: reason))
  }

  mutating func note(progressOf id: UInt64, _ phase: JobEvent.Phase, _ done: Int) {
    guard let job = ledger.job(id), job.ending == nil, begun.contains(id) else { return }
    activities[id] = JobActivity(phase: phase, stepsDone: done)
    tell(job)
  }

  /// Who waits for a job is told how far it is.
  private mutating func tell(_ job: LedgerJob) {
    let activity = activities[job.id] ?? JobActivity()
    let event = JobEvent(activity.phase, progress: UInt64(activity.stepsDone), total: UInt32(clamping: job.steps))
    for watcher in watchers[job.id] ?? [] { send(.event(event), job: job.id, to: watcher) }
  }

  mutating func finish(_ id: UInt64, _ outputs: [LedgerJob.Output]) {
    guard let job = ledger.job(id) else { return }
    guard job.ending == nil else {
      // It was cancelled while its outputs were written.
      if job.ending?.ending.outcome != .done { emit(.discard(job)) }
      return
    }
    conclude(id, JobEnding(.done), outputs)
  }

  mutating func giveUp(_ id: UInt64, _ error: JobError) {
    guard begun.contains(id) else { return }
    conclude(id, JobEnding(.failed, reason: error.reason, text: error.description))
  }

  /// Writes down how a job of the ledger has ended, unless it has already, and tells who waits for it.
  mutating func conclude(_ id: UInt64, _ ending: JobEnding, _ outputs: [LedgerJob.Output] = []) {
    guard let job = ledger.job(id), job.ending == nil else { return }
    commit(.ended(job: id, .init(ending: ending, date: date, outputs: outputs)))
    needsWork = true
    begun.remove(id)
    activities[id] = nil
    emit(.halt(job: id))
    emit(.ended(job: id))
    let text = ending.text.isEmpty ? "." : ": \(ending.text)"
    emit(.note("Job \(id) of \(job.client): \(ending.outcome)\(text)"))
    guard let ended = ledger.job(id) else { return }
    for watcher in watchers.removeValue(forKey: id) ?? [] { emit(.deliver(ended, to: watcher)) }
  }

  mutating func noteDisk(_ isFull: Bool) {
    guard isFull != isDiskFull else { return }
    isDiskFull = isFull
    emit(
      .note(
        isFull
          ? "The disk is full: no jobs are accepted or begun until there is room." : "The disk has room again."))
    (needsWork, needsAdmission, needsReview) = (true, true, true)
  }

  // MARK: - Commands

  mutating func take(_ command: JobCommand, _ asker: Asker) {
    if case .readmit(let worker) = command { return readmit(worker, asker) }
    guard let id = command.job else { return }
    guard let job = ledger.job(id) else {
      // It may be the question of a moment ago, whose answer was lost.
      if case .forget = command, id <= ledger.lastJob { return acknowledge(id, asker) }
      return refuse(.request, "There is no job \(id).", asker)
    }
    guard isAllowed(asker.peer, job) else { return refuse(.denied, "Job \(id) is not yours.", asker) }
    if let obstacle = obstacle(to: command, job) { return refuse(.request, obstacle, asker) }
    if case .requeue = command, job.ending != nil, let excess = excess(of: job.client, with: job.request) {
      return refuse(.quota, excess, asker)
    }
    perform(command, job)
    acknowledge(id, asker)
  }

  private func isAllowed(_ peer: Peer, _ job: LedgerJob) -> Bool {
    job.client == peer.name || peer.role == .admin || peer.key == nil
  }

  private func obstacle(to command: JobCommand, _ job: LedgerJob) -> String? {
    let outcome = job.ending?.ending.outcome
    return switch command {
    case .pause where outcome != nil, .resume where outcome != nil: "Job \(job.id) has ended."
    case .requeue where outcome == .done: "Job \(job.id) is done."
    case .forget where outcome == nil: "Job \(job.id) has not ended; cancel it first."
    default: nil
    }
  }

  private mutating func perform(_ command: JobCommand, _ job: LedgerJob) {
    switch command {
    case .cancel where job.ending == nil: end(job.id, JobEnding(.cancelled, text: "It was cancelled."))
    case .pause where !job.isPaused: commit(.paused(job: job.id))
    case .resume where job.isPaused: commit(.resumed(job: job.id))
    case .prioritise(_, let priority): commit(.prioritised(job: job.id, priority))
    case .requeue where job.ending != nil: commit(.requeued(job: job.id))
    case .forget:
      commit(.forgotten(job: job.id))
      emit(.discard(job))
    // The same question again.
    default: break
    }
    (needsWork, needsAdmission) = (true, true)
    if hasIdlePipelines { needsReview = true }
  }

  private mutating func readmit(_ worker: String, _ asker: Asker) {
    guard asker.peer.role == .admin || asker.peer.key == nil else {
      return refuse(.denied, "Only an admin may readmit workers.", asker)
    }
    if ledger.setAside.contains(where: { $0.worker == worker }) {
      commit(.readmitted(worker: worker))
      histories[history(of: worker)].clear()
      emit(.note("The worker \(worker) may have blocks again."))
      needsReview = true
    } else if index(of: worker) == nil {
      return refuse(.request, "There is no worker \(worker), and none of that name is set aside.", asker)
    }
    acknowledge(0, asker)
  }

  mutating func attend(to id: UInt64, _ asker: Asker) {
    guard let job = ledger.job(id) else { return refuse(.request, "There is no job \(id).", asker) }
    guard isAllowed(asker.peer, job) else { return refuse(.denied, "Job \(id) is not yours.", asker) }
    acknowledge(id, asker)
    attend(to: job, asker.peer)
  }

  /// A peer is given what a job has made, or told when it has ended.
  private mutating func attend(to job: LedgerJob, _ peer: Peer) {
    if job.ending != nil { return emit(.deliver(job, to: peer)) }
    watchers[job.id, default: []].removeAll { $0.isSame(as: peer) }
    if watchers[job.id, default: []].count >= Self.mostWatchers { watchers[job.id]?.removeFirst() }
    watchers[job.id, default: []].append(peer)
    tell(job)
  }

  // MARK: - Answers

  func fence(job: UInt64) -> Fence { Fence(epoch: identity.epoch, job: job) }

  mutating func send(_ body: MessageBody, _ payload: Payload = .empty, job: UInt64, to peer: Peer) {
    emit(.send(Message(body, fence: fence(job: job)), payload, to: peer))
  }

  mutating func acknowledge(_ job: UInt64, _ asker: Asker) {
    send(.received(Receipt(acknowledged: asker.sequence)), job: job, to: asker.peer)
  }

  mutating func refuse(_ reason: Reason, _ text: String, _ asker: Asker) {
    send(.refused(Refusal(reason, text, acknowledged: asker.sequence)), job: 0, to: asker.peer)
  }
}

/// How far a job of the ledger is in this run of the coordinator.
struct JobActivity: Sendable, Equatable {
  var phase = JobEvent.Phase.queued
  var stepsDone = 0
}
