import Messaging

/// Who is a worker: admission, draining, loss.
extension CoordinatorCore {
  mutating func greet(_ peer: Peer, _ hello: Hello) {
    if let refusal = refusal(of: hello) {
      emit(.send(Message(.refused(refusal), fence: Fence(epoch: identity.epoch)), .empty, to: peer))
      emit(.note("The worker \(peer.name) is not admitted: \(refusal.text)"))
      return
    }
    if let index = index(of: peer.name) {
      guard peer.incarnation >= workers[index].peer.incarnation else { return }
      if peer.incarnation == workers[index].peer.incarnation {
        // The same process on a new connection: what it holds is still good.
        workers[index].peer = peer
        workers[index].heard = milliseconds
        return welcome(index)
      }
      lose(index, "it has been started again")
    }
    let record = WorkerRecord(peer: peer, hello: hello, session: nextAttempt(), now: milliseconds)
    let place = workers.firstIndex { $0.name > peer.name } ?? workers.endIndex
    workers.insert(record, at: place)
    welcome(place)
    emit(.note("The worker \(peer.name) is here: \(hello.threads) threads."))
  }

  private mutating func welcome(_ worker: Int) {
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
    emit(.note("The worker \(workers[worker].name) is being drained."))
    releaseIfDrained(worker)
  }

  /// Lets a drained worker go if it has no blocks.
  mutating func releaseIfDrained(_ worker: Int) {
    guard workers[worker].isDraining, pipeline?.stage(of: workers[worker].name) == nil else { return }
    post(.release, fence: Fence(), to: worker)
  }

  /// Strikes a worker off; what it held is lost.
  mutating func lose(_ worker: Int, _ reason: String) {
    let name = workers[worker].name
    workers.remove(at: worker)
    emit(.note("The worker \(name) is lost: \(reason)."))
    if pipeline?.stage(of: name) != nil { breakPipeline() }
  }
}

extension Digest {
  /// Enough to tell two apart.
  var shortText: String { String(description.prefix(12)) }
}
