import Messaging
import StrictJSON

/// Somebody who asks for something: where the answer goes, and the number of the question.
public struct Asker: Sendable, Hashable {
  public var peer: Peer
  public var sequence: UInt64

  public init(_ peer: Peer, sequence: UInt64) {
    self.peer = peer
    self.sequence = sequence
  }
}

/// What a client wants a coordinator to accept.
public struct JobSubmission: Sendable, Equatable {
  /// By which the request is known if it comes again.
  public var key: [UInt8]
  /// As JSON.
  public var request: String
  public var priority: Int
  /// What the request comes to, or why it cannot be.
  public var verdict: Result<Facts, JobError>

  public struct Facts: Sendable, Hashable {
    public var model: String
    public var steps: Int

    public init(model: String, steps: Int) {
      self.model = model
      self.steps = steps
    }
  }

  public init(key: [UInt8], request: String, priority: Int, verdict: Result<Facts, JobError>) {
    self.key = key
    self.request = request
    self.priority = priority
    self.verdict = verdict
  }
}

/// What may be done about jobs that were accepted, and about workers.
public enum JobCommand: Sendable, Hashable {
  case cancel(UInt64)
  /// At its next step the job leaves the stages; what it has computed stays.
  case pause(UInt64)
  case resume(UInt64)
  case prioritise(UInt64, Int)
  /// One that has failed or was cancelled begins anew.
  case requeue(UInt64)
  /// One that has ended is not remembered any more, and its outputs go.
  case forget(UInt64)
  /// A worker that was set aside may have blocks again.
  case readmit(worker: String)

  /// The job that it is about.
  public var job: UInt64? {
    switch self {
    case .cancel(let job), .pause(let job), .resume(let job), .prioritise(let job, _), .requeue(let job),
      .forget(let job):
      job
    case .readmit: nil
    }
  }
}

extension JobCommand {
  /// As a message carries it; `cancel` has a kind of its own.
  public var json: JSONObject {
    switch self {
    case .cancel(let job): ["action": "cancel", "job": .number(of: job)]
    case .pause(let job): ["action": "pause", "job": .number(of: job)]
    case .resume(let job): ["action": "resume", "job": .number(of: job)]
    case .prioritise(let job, let priority):
      ["action": "priority", "job": .number(of: job), "priority": .integer(priority)]
    case .requeue(let job): ["action": "requeue", "job": .number(of: job)]
    case .forget(let job): ["action": "forget", "job": .number(of: job)]
    case .readmit(let worker): ["action": "readmit", "worker": .string(worker)]
    }
  }

  public init?(_ json: JSONValue) {
    let job = json["job"]?.unsigned
    switch (json["action"]?.string, job) {
    case ("cancel", let job?): self = .cancel(job)
    case ("pause", let job?): self = .pause(job)
    case ("resume", let job?): self = .resume(job)
    case ("priority", let job?):
      guard let priority = json["priority"]?.int, LedgerJob.priorities.contains(priority) else { return nil }
      self = .prioritise(job, priority)
    case ("requeue", let job?): self = .requeue(job)
    case ("forget", let job?): self = .forget(job)
    case ("readmit", nil):
      guard let worker = json["worker"]?.string else { return nil }
      self = .readmit(worker: worker)
    default: return nil
    }
  }
}

/// Which jobs somebody wants to be told of: the first of them behind a number.
public struct JobQuery: Sendable, Equatable {
  /// More do not fit into a message.
  public static let mostJobs = 200

  public var behind: UInt64
  public var state: JobState?
  /// These alone, if not nil.
  public var jobs: [UInt64]?

  public init(behind: UInt64 = 0, state: JobState? = nil, jobs: [UInt64]? = nil) {
    self.behind = behind
    self.state = state
    self.jobs = jobs
  }

  public var json: JSONObject {
    var json: JSONObject = ["action": "list", "behind": .number(of: behind)]
    if let state { json["state"] = .string(state.rawValue) }
    if let jobs { json["jobs"] = .array(jobs.map { .number(of: $0) }) }
    return json
  }

  public init?(_ json: JSONValue) {
    guard json["action"] == "list", let behind = json["behind"]?.unsigned else { return nil }
    self.init(behind: behind)
    if let value = json["state"] {
      guard let state = value.string.flatMap(JobState.init) else { return nil }
      self.state = state
    }
    if let value = json["jobs"] {
      guard let numbers = value.array?.map(\.unsigned), numbers.allSatisfy({ $0 != nil }) else { return nil }
      jobs = numbers.compactMap { $0 }
    }
  }
}

/// How far a job is, in a word.
public enum JobState: String, Sendable, Hashable, CaseIterable {
  case waiting, running, paused, done, failed, cancelled
}
