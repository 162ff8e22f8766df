import Messaging
import StrictJSON

/// What is told about jobs of the ledger.
extension CoordinatorCore {
  /// The latest; a status has to fit into a message.
  private static let jobsOfAStatus = 500

  func state(of job: LedgerJob) -> JobState {
    switch job.ending?.ending.outcome {
    case .done: .done
    case .failed: .failed
    case .cancelled: .cancelled
    case nil where job.isPaused: .paused
    case nil: isRunning(job.id) ? .running : .waiting
    }
  }

  /// In the stages, or on the way from them to the disk.
  private func isRunning(_ id: UInt64) -> Bool {
    activities[id]?.phase == .decoding || index(of: id).map { jobs[$0].state == .running } ?? false
  }

  mutating func list(_ query: JobQuery, _ asker: Asker) {
    var found: [JSONValue] = []
    var isMore = false
    let first = ledger.jobs.partitioningIndex { $0.id > query.behind }
    for job in ledger.jobs[first...] {
      guard query.jobs.map({ $0.contains(job.id) }) ?? true else { continue }
      guard query.state.map({ $0 == state(of: job) }) ?? true else { continue }
      guard found.count < JobQuery.mostJobs else {
        isMore = true
        break
      }
      found.append(.object(report(on: job)))
    }
    if let missing = query.jobs?.first(where: { ledger.job($0) == nil }) {
      return refuse(.request, "There is no job \(missing).", asker)
    }
    let json: JSONObject = ["jobs": .array(found), "more": .bool(isMore)]
    tell(.jobs, json, asker)
  }

  mutating func tellStatus(_ more: JSONObject, _ asker: Asker) {
    var json = status(now: now).json
    json["jobs"] = .array(ledger.jobs.suffix(Self.jobsOfAStatus).map { .object(summary(of: $0)) })
    for (key, value) in more { json[key] = value }
    tell(.status, json, asker)
  }

  private mutating func tell(_ body: MessageBody, _ json: JSONObject, _ asker: Asker) {
    let fence = Fence(epoch: identity.epoch, sequence: asker.sequence)
    emit(.send(Message(body, fence: fence), Payload(JSONValue.object(json).text()), to: asker.peer))
  }

  private func summary(of job: LedgerJob) -> JSONObject {
    let activity = activities[job.id]
    var json: JSONObject = [
      "id": .number(of: job.id), "client": .string(job.client), "model": .string(job.model),
      "state": .string(state(of: job).rawValue), "steps": .integer(job.steps),
      "steps_done": .integer(job.ending?.ending.outcome == .done ? job.steps : activity?.stepsDone ?? 0),
    ]
    if let index = index(of: job.id) {
      json["steps_kept"] = .integer(jobs[index].keptSteps)
      json["loss_costs_ms"] = .integer(Int(jobs[index].lossMilliseconds(now: milliseconds)))
    }
    if let activity, job.ending == nil { json["phase"] = .string("\(activity.phase)") }
    if let ending = job.ending { json["text"] = .string(ending.ending.text) }
    return json
  }

  /// Times are seconds since 1970.
  private func report(on job: LedgerJob) -> JSONObject {
    var json = summary(of: job)
    json["priority"] = .integer(job.priority)
    json["attempts"] = .integer(job.attempts)
    json["requeues"] = .integer(job.requeues)
    json["accepted"] = .number(Double(job.accepted) / 1e6)
    if let ending = job.ending {
      json["ended"] = .number(Double(ending.date) / 1e6)
      if let reason = ending.ending.reason { json["reason"] = .string("\(reason)") }
      if !ending.outputs.isEmpty { json["outputs"] = .array(ending.outputs.map { .object($0.json) }) }
    }
    json["losses"] = .integer(job.losses)
    json["lost_workers"] = .array(
      job.troubles.map { trouble in
        [
          "time": .number(Double(trouble.date) / 1e6), "worker": .string(trouble.worker),
          "step": .integer(trouble.step), "text": .string(trouble.text),
        ]
      })
    if let obstacle = index(of: job.id).flatMap({ jobs[$0].obstacle }) { json["obstacle"] = .string(obstacle) }
    return json
  }
}
