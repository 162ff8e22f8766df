import Journaling
import Transformers

@testable import Messaging
@testable import RenderCluster

/// A coordinator that remembers: its journal, its desk that renders the jobs of the ledger, and those who want them done.
extension Simulation {
  private static let askMicroseconds: Int64 = 3_000_000

  // MARK: - Process

  /// The process ends, as by SIGKILL, and the disk loses what was not forced to it.
  func crashCoordinator() {
    guard !isDown else { return }
    log("the coordinator crashes")
    isDown = true
    disk.crash(&random)
    // Answers are not forced to it.
    for job in jobs where random.chance(0.2) {
      for row in job.answers.indices { job.answers[row].removeLast(min(random.number(0...2), job.answers[row].count)) }
    }
    closeLines()
    for worker in workers { disconnect(worker) }
    push(.restart, after: random.milliseconds(0...3000))
  }

  /// Another process takes its place and reads the journal.
  func startCoordinator() {
    let journal: Journal
    let contents: Journal.Contents
    do {
      (journal, contents) = try Journal.open(disk, segmentBytes: SimulatedJournal.segmentBytes)
    } catch JournalError.file(let error) where error.action == .writing {
      // A torn end cannot be kept before there is room, or the disk fails at that.
      return push(.restart, after: 1_000_000)
    } catch {
      return violation("the journal cannot be read: \(error)")
    }
    let ledger: Ledger
    do {
      ledger = try Ledger(replaying: tamper(replayOf: contents.snapshot + contents.records))
    } catch {
      return violation("the journal makes no ledger: \(error)")
    }
    if contents.torn != nil { situations.insert(.tornJournal) }
    isDown = false
    epoch = bug == .epochNotRaised ? max(1, ledger.epoch) : ledger.epoch + 1
    life += 1
    checkReplay(ledger)
    coordinatorStopped = 0
    reasonsToAssign += 2 + jobs.count
    log("the coordinator starts, epoch \(epoch), with \(ledger.jobs.count) jobs")
    core = makeCore(ledger)
    directory = [:]
    coordinatorServer = SimulatedTensorServer()
    closeLines()
    for (index, job) in jobs.enumerated() {
      job.reset()
      job.state = .idle
      job.id = ledger.jobs.first { $0.request == "\(index)" }?.id ?? Self.provisional + UInt64(index)
    }
    held = HeldEffects(hasJournal: true, sequence: journal.written)
    self.journal = SimulatedJournal(journal)
    push(.coordinatorTick(life: life), after: 1000)
    apply(.began(filesUpTo: 0))
  }

  func write(_ records: [JournalRecord]) {
    guard let journal else { return }
    journal.append(records)
    writeOn(journal)
  }

  private func writeOn(_ journal: SimulatedJournal) {
    do {
      guard try journal.write() else { return }
      push(.synchronised(life: life), after: random.milliseconds(1...50))
      if now < rates.end, random.chance(rates.crashWhileWriting) {
        push(.crash(life: life), after: random.milliseconds(0...50))
      }
    } catch {
      log("the journal: \(error)")
      crashCoordinator()
    }
  }

  func finishWriting() {
    guard let journal else { return }
    do {
      try journal.synchronise()
    } catch {
      log("the journal: \(error)")
      situations.insert(.failedSync)
      return crashCoordinator()
    }
    held.durable = journal.journal.durable
    if journal.isIdle { checkJournal() }
    release()
    guard !isDown else { return }
    if journal.journal.isCompactionDue, !journal.isSnapshotDue {
      situations.insert(.compaction)
      journal.compact(tamper(snapshot: core.ledger.snapshot))
    }
    writeOn(journal)
  }

  func watchDisk() {
    guard let journal else { return }
    if journal.isSnapshotDue, !disk.isFull {
      journal.isSnapshotDue = false
      journal.compact(tamper(snapshot: core.ledger.snapshot))
      writeOn(journal)
    }
    guard !isDown else { return }
    apply(.disk(isFull: disk.isFull || journal.isSnapshotDue))
  }

  // MARK: - Clients

  func peer(ofClient index: Int) -> Peer {
    Peer(name: "c\(index)", role: .client, key: nil, incarnation: 1, connection: [UInt8(index)])
  }

  /// Asks for the job, and for what it wants done about it, again and again until it knows the end.
  func ask(_ index: Int) {
    guard let client = jobs[index].client, client.told == nil else { return }
    push(.ask(index), after: Self.askMicroseconds)
    if jobs[index].state == .future { jobs[index].state = .idle }
    transmit(.toDesk(index, nil), from: 0, to: 0)
    guard let job = client.job else { return }
    if client.wantsCancel { transmit(.toDesk(index, .cancel(job)), from: 0, to: 0) }
    if let wantsPause = client.wantsPause {
      transmit(.toDesk(index, wantsPause ? .pause(job) : .resume(job)), from: 0, to: 0)
    }
  }

  func takeQuestion(_ index: Int, _ command: JobCommand?) {
    jobs[index].client?.asked += 1
    let asker = Asker(peer(ofClient: index), sequence: jobs[index].client?.asked ?? 0)
    if let command {
      if case .pause = command { situations.insert(.pausedJob) }
      if bug == .pauseForEver, case .resume = command { return }
      return apply(.command(command, from: asker))
    }
    let facts = jobs[index].facts
    let key = [UInt8](repeating: UInt8(index), count: Submission.keyBytes)
    let submission = JobSubmission(
      key: key, request: "\(index)", priority: jobs[index].client?.priority ?? 0,
      verdict: .success(.init(model: "\(facts.model.digest.bytes[0])", steps: facts.steps)))
    apply(.asked(submission, from: asker))
  }

  func tell(client index: Int, _ message: Message) {
    switch message.body {
    case .accepted:
      let job = message.fence.job
      if let known = jobs[index].client?.job, known != job {
        violation("the request \(index) is job \(known) and job \(job)")
      }
      jobs[index].client?.job = job
    case .done(let ending):
      guard jobs[index].client?.told == nil else {
        if jobs[index].client?.told != ending { violation("the request \(index) ends twice, in different ways") }
        return
      }
      log("client \(index) is told \(ending)")
      jobs[index].client?.told = ending
      openJobs -= 1
    case .refused(let refusal):
      if refusal.reason == .busy { situations.insert(.refusedForTheDisk) }
      if refusal.reason != .busy, !refusal.text.contains("has ended") {
        violation("the request \(index) is refused: \(refusal.text)")
      }
    default: break
    }
  }

  // MARK: - Desk

  func begin(_ job: LedgerJob) {
    guard let index = Int(job.request) else { return }
    guard jobs[index].state == .idle else {
      return violation("job \(job.id) is begun, but is \(jobs[index].state)")
    }
    log("job \(job.id) is begun")
    jobs[index].reset()
    push(.submit(index, life: life), after: random.milliseconds(0...300))
  }

  /// The task of a job is cancelled.
  func halt(_ id: UInt64) {
    guard let index = jobs.firstIndex(where: { $0.id == id }) else { return }
    let job = jobs[index]
    guard [.submitted, .started, .storing].contains(job.state) else { return }
    job.hasFailed = true
    let isWaited = job.state != .storing
    job.state = .idle
    if isWaited { push(.withdraw(index, life: life), after: random.milliseconds(0...20)) }
  }

  func withdraw(_ index: Int) {
    apply(.cancelled(job: jobs[index].id))
    push(.leave(index, life: life), after: random.milliseconds(0...20))
  }

  /// The picture goes to its place.
  func store(_ index: Int) {
    let job = jobs[index]
    guard job.state == .storing else { return }
    guard !disk.isFull else { return push(.store(index, life: life), after: 1_000_000) }
    let isLate = bug == .doneBeforeRename
    if isLate {
      apply(.rendered(job: job.id, []))
    } else {
      pictures[job.id] = job.final
    }
    push(.rendered(index, life: life), after: random.milliseconds(0...500))
  }

  func rendered(_ index: Int) {
    let job = jobs[index]
    guard bug != .doneBeforeRename else {
      pictures[job.id] = job.final
      return
    }
    guard job.state == .storing else { return }
    apply(.rendered(job: job.id, []))
  }

  func deliver(_ job: LedgerJob, to peer: Peer) {
    guard let index = Int(job.request), let ending = job.ending?.ending else {
      return violation("job \(job.id) is delivered before its end")
    }
    if let before = endings[job.id], before != ending { violation("job \(job.id) ends twice: \(before), \(ending)") }
    endings[job.id] = ending
    checkDelivery(jobs[index], job, ending)
    transmit(.toClient(index, Message(.done(ending), fence: Fence(job: job.id))), from: 0, to: 0)
  }
}
