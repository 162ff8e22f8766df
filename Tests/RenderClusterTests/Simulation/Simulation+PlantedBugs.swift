import Journaling
import Messaging

@testable import RenderCluster

/// What planted bugs do to the core; others stand where the runtimes' models act.
extension Simulation {
  func tamper(before event: CoordinatorEvent) {
    switch bug {
    case .leaseIgnored:
      for index in core.workers.indices { core.workers[index].connected(now: now / 1000) }
    case .nobodyBlamed:
      for index in core.jobs.indices { core.jobs[index].losses = 0 }
    case .everybodyBlamed:
      for index in core.jobs.indices {
        let losses = sharedLosses[core.jobs[index].id] ?? 0
        core.jobs[index].losses = losses >= JobRecord.mostLosses - 1 ? JobRecord.mostLosses - 1 : 0
      }
    default: break
    }
  }

  /// Whatever a worker tells of steps, it is what the furthest of all is at.
  func tamper(held message: Message, _ payload: Payload) -> Payload {
    guard bug == .heldStepsNotCompared, case .held = message.body, var list = try? HeldSamples(payload) else {
      return payload
    }
    list.samples = list.samples.map { sample in
      let others = workers.flatMap(\.core.samples).filter { $0.key == sample.key }
      return HeldSamples.Sample(
        key: sample.key, attempt: sample.attempt, step: others.map(\.step).max() ?? sample.step, isBusy: false)
    }
    return list.payload
  }

  /// A worker goes on with whatever step it is at.
  func tamper(_ opening: SampleOpening, _ message: Message, _ worker: SimulatedWorker) -> Message {
    guard let held = opening.held,
      let step = worker.core.samples.first(where: { $0.key == message.fence.sample })?.step,
      step != held.step
    else { return message }
    var (opening, fence) = (opening, message.fence)
    (opening.held, fence.step) = (.init(attempt: held.attempt, step: step), step)
    return Message(.openSample(opening), fence: fence)
  }

  func tamper(replayOf records: [JournalRecord]) -> [JournalRecord] {
    switch bug {
    case .replayLosesTheLastRecord: return records.dropLast()
    case .keyForgottenOnReplay:
      return records.map { record in
        guard case .job(let job)? = try? LedgerEntry(record) else { return record }
        let other = LedgerJob(
          id: job.id, client: job.client, key: [UInt8](repeating: 255, count: 16), request: job.request,
          model: job.model, steps: job.steps, accepted: job.accepted)
        return LedgerEntry.job(other).record(date: record.date)
      }
    default: return records
    }
  }

  func tamper(snapshot: [JournalRecord]) -> [JournalRecord] {
    guard bug == .snapshotLosesAJob, let place = snapshot.lastIndex(where: { $0.type == LedgerEntry.Kind.job.rawValue })
    else { return snapshot }
    var rest = snapshot
    rest.remove(at: place)
    return rest
  }

  func tamper(after event: CoordinatorEvent, _ effects: inout [CoordinatorEffect]) {
    switch bug {
    case .replayFromTheStepDeliveredLast:
      for job in core.jobs.indices {
        for sample in core.jobs[job].samples.indices where core.jobs[job].samples[sample].inFlight == nil {
          let record = core.jobs[job].samples[sample]
          if record.state != .outside, record.position < record.delivered {
            core.jobs[job].samples[sample].position = record.delivered
          }
        }
      }
    case .attemptNumbersUsedAgain:
      if effects.contains(where: \.isDisconnection) { core.lastAttempt -= min(core.lastAttempt, 8) }
    case .nothingSentAgain:
      guard case .tick = event else { return }
      effects.removeAll { effect in
        if case .send(let message, _, _) = effect { message.fence.sequence > 0 } else { false }
      }
    case .lostWorkersUnanswered:
      effects.removeAll { effect in
        guard case .send(let message, _, _) = effect, case .refused(let refusal) = message.body else { return false }
        return refusal.reason == .unexpected
      }
    case .everybodyBlamed:
      for effect in effects {
        if case .stepDone(let key, _, _, _, _) = effect { sharedLosses[key.job] = 0 }
        guard case .forget(let key, _) = effect, effects.contains(where: \.isDisconnection), key.row == 0 else {
          continue
        }
        sharedLosses[key.job, default: 0] += 1
      }
    default: break
    }
  }
}

extension CoordinatorEffect {
  fileprivate var isDisconnection: Bool { if case .disconnect = self { true } else { false } }
}
