import Messaging

/// Who is a worker: admission, draining, loss.
extension CoordinatorCore {
  mutating func greet(_ peer: Peer, _ hello: Hello) {
    if let refusal = refusal(of: hello) {
      emit(.send(Message(.refused(refusal), fence: Fence(epoch: identity.epoch)), .empty, to: peer))
      emit(.note("The worker \(peer.name) is not admitted: \(refusal.text)"))
      return
    }
    let history = history(of: peer.name)
    if histories[history].disobedientIncarnation == peer.incarnation {
      let text = "This coordinator (epoch \(identity.epoch)) was started before one that the worker has obeyed."
      return emit(
        .send(Message(.refused(Refusal(.epoch, text)), fence: Fence(epoch: identity.epoch)), .empty, to: peer))
    }
    guard !isReplaced(peer) else { return turnAway(peer) }
    if let index = index(of: peer.name) {
      if peer.incarnation == workers[index].peer.incarnation {
        // The same process: what it holds is still good. On a new connection it can be reached.
        if workers[index].peer != peer { workers[index].connected(now: milliseconds) }
        workers[index].peer = peer
        return welcome(index)
      }
      lose(index, "it has been started again")
    }
    histories[history].incarnation = peer.incarnation
    needsReview = true
    lastJoined = milliseconds
    let record = WorkerRecord(peer: peer, hello: hello, session: nextAttempt(), now: milliseconds)
    let place = workers.firstIndex { $0.name > peer.name } ?? workers.endIndex
    workers.insert(record, at: place)
    welcome(place)
    emit(.note("The worker \(peer.name) is here: \(hello.threads) threads."))
    if hello.bytesPerSecond == 0 {
      emit(.measureLink(worker: peer.name, workers[place].session, .init(address: hello.address, key: peer.key)))
    }
  }

  /// A worker that is on another connection meanwhile is none the worse.
  mutating func noteEnd(ofConnection peer: Peer) {
    guard let index = index(of: peer.name), workers[index].peer == peer else { return }
    workers[index].disconnected(now: milliseconds)
  }

  /// How fast a worker's link is. Two digits of it, as it is never twice the same, and plans should be.
  mutating func take(linkOf worker: String, _ bytesPerSecond: Double) {
    guard let index = index(of: worker), bytesPerSecond.isFinite, bytesPerSecond > 0 else { return }
    var scale = 1.0
    while bytesPerSecond / scale >= 100 { scale *= 10 }
    workers[index].bytesPerSecond = (bytesPerSecond / scale).rounded() * scale
    needsReview = true
  }

  /// A worker has obeyed a coordinator that was started later, and does not obey this one.
  mutating func giveUp(_ worker: Int, obeying epoch: UInt64) {
    histories[history(of: workers[worker].name)].disobedientIncarnation = workers[worker].peer.incarnation
    lose(worker, "it obeys a coordinator that was started later (epoch \(epoch), here \(identity.epoch))")
  }

  /// Where what is remembered of a worker stands.
  mutating func history(of worker: String) -> Int {
    let place = histories.firstIndex { $0.name >= worker } ?? histories.endIndex
    if place == histories.endIndex || histories[place].name != worker {
      histories.insert(WorkerHistory(name: worker), at: place)
    }
    return place
  }

  /// Whether a newer process has taken the place of this one, or shall.
  private func isReplaced(_ peer: Peer) -> Bool {
    guard let history = histories.first(where: { $0.name == peer.name }) else { return false }
    return peer.incarnation < history.incarnation || peer.incarnation == history.hungIncarnation
  }

  /// Answers who is no worker, or no longer: without an answer it would wait for ever.
  mutating func turnAway(_ peer: Peer) {
    let refusal =
      if isReplaced(peer) {
        Refusal(.replaced, "This process of \(peer.name) has stopped computing, or there is a newer one.")
      } else if index(of: peer.name) == nil {
        Refusal(.unexpected, "The worker \(peer.name) was lost, and has to say hello again.")
      } else {
        // On a connection that another one has replaced.
        nil as Refusal?
      }
    guard let refusal else { return }
    emit(.send(Message(.refused(refusal), fence: Fence(epoch: identity.epoch)), .empty, to: peer))
  }

  mutating func welcome(_ worker: Int) {
    let welcome = Welcome(build: identity.build, leaseMilliseconds: UInt32(WorkerRecord.leaseMilliseconds))
    let fence = Fence(epoch: identity.epoch, attempt: workers[worker].session)
    emit(.send(Message(.welcome(welcome), fence: fence), .empty, to: workers[worker].peer))
  }

  private func refusal(of hello: Hello) -> Refusal? {
    if hello.protocolVersion != Hello.protocolVersion {
      return Refusal(.version, "The protocol is version \(Hello.protocolVersion) here, \(hello.protocolVersion) there.")
    }
    if hello.build != identity.build {
      return Refusal(.build, "The program is \(identity.build) here, \(hello.build) there.")
    }
    guard let numerics = hello.numerics, numerics != identity.numerics else {
      return hello.numerics == nil ? Refusal(.numerics, "The class of numerics is missing.") : nil
    }
    return Refusal(
      .numerics,
      "The class of numerics is \(identity.numerics.shortText) here, \(numerics.shortText) there: processors of the two "
        + "kinds give different bits.")
  }

  /// A worker wants to go: it gets no blocks any more, and goes when it has none.
  mutating func drain(_ worker: Int) {
    guard !workers[worker].isDraining else { return }
    workers[worker].isDraining = true
    needsReview = true
    emit(.note("The worker \(workers[worker].name) is being drained."))
    releaseIfDrained(worker)
  }

  /// Lets a drained worker go if it has no blocks.
  mutating func releaseIfDrained(_ worker: Int) {
    guard workers[worker].isDraining, !workers[worker].isReleased, pipeline(of: workers[worker].name) == nil,
      !hasTasks(worker)
    else { return }
    workers[worker].isReleased = true
    post(.release, fence: Fence(), to: worker)
  }

  /// Strikes a worker off; what it held is lost.
  mutating func lose(_ worker: Int, _ reason: String) {
    let name = workers[worker].name
    workers.remove(at: worker)
    needsReview = true
    emit(.note("The worker \(name) is lost: \(reason)."))
    loseTasks(of: name)
    guard let pipeline = pipeline(of: name), let stage = pipeline.stage(of: name) else { return }
    let suspects = jobs.indices.filter { jobs[$0].mayHaveKilled(stage, of: pipeline.attempt) }
    note(troubleWith: name, suspects: suspects.map { jobs[$0].id })
    for job in suspects { blame(job, worker: name, reason) }
    breakPipeline(pipeline.attempt)
    endKillers()
    setAsideIfBad(name)
  }

  /// A pipeline is lost that a worker was in.
  mutating func note(troubleWith worker: String, suspects: [UInt64]) {
    let place = history(of: worker)
    histories[place].add(.init(time: milliseconds, suspects: suspects))
    guard histories[place].isAvoided(now: milliseconds) else { return }
    emit(.note("The worker \(worker) has cost several pipelines: for ten minutes others are preferred."))
  }

  /// Jobs that have cost too many pipelines.
  private mutating func endKillers() {
    for job in jobs where job.losses >= JobRecord.mostLosses {
      for history in histories.indices where histories[history].acquit(of: job.id) { readmitIfGood(history) }
      let workers = job.blamed.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
      let text =
        "\(job.losses) times a worker was lost before its step \(job.mark + 1) was done (\(workers.joined(separator: ", "))), "
        + "in the end with no other job beside it: it is quarantined."
      end(job.id, JobEnding(.failed, reason: .quarantined, text: text))
    }
  }

  /// A worker that was lost with different jobs gets no blocks any more, if there is another.
  private mutating func setAsideIfBad(_ worker: String) {
    let history = histories[history(of: worker)]
    guard let jobs = history.differentJobs(now: milliseconds), !isSetAside(worker),
      workers.contains(where: { !isSetAside($0.name) })
    else { return }
    // A job that others were lost with, too, explains it better.
    let isExplained = self.jobs.contains { job in
      Set(job.blamed).count > 1 && history.commonSuspects(now: milliseconds).contains(job.id)
    }
    guard !isExplained else { return }
    let numbers = jobs.map(String.init).joined(separator: ", ")
    let text = "It was lost \(jobs.count) times in ten minutes, with the jobs \(numbers)."
    commit(.setAside(worker: worker, text: text))
    noteSetAside(worker, text)
  }

  mutating func noteSetAside(_ worker: String, _ text: String) {
    emit(.note("The worker \(worker) is set aside: \(text) clusca workers readmit \(worker) lets it work again."))
  }

  /// After a job was found to be to blame.
  private mutating func readmitIfGood(_ history: Int) {
    let worker = histories[history].name
    guard isSetAside(worker), histories[history].differentJobs(now: nil) == nil else { return }
    commit(.readmitted(worker: worker))
    emit(.note("The worker \(worker) may have blocks again: a job was to blame."))
  }

  func isSetAside(_ worker: String) -> Bool { ledger.setAside.contains { $0.worker == worker } }
}

extension Digest {
  /// Enough to tell two apart.
  var shortText: String { String(description.prefix(12)) }
}
