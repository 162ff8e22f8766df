/// A message without its payload: the fence and what its kind says.
public struct Message: Sendable, Hashable {
  public var fence: Fence
  public var body: MessageBody

  public init(_ body: MessageBody, fence: Fence = Fence()) {
    self.fence = fence
    self.body = body
  }

  public var kind: MessageKind { body.kind }
}

/// What a message says, by its kind; `Proto/clusca.proto` tells who sends which, and when.
public enum MessageBody: Sendable, Hashable {
  case hello(Hello)
  case welcome(Welcome)
  case refused(Refusal)
  case heartbeat(Heartbeat)
  case received(Receipt)
  /// The fence that the sender holds, for a peer that has missed something.
  case current
  case assign(Assignment)
  case release
  case ready(Readiness)
  case failed(StageFailure)
  /// What a worker holds since before the coordinator was started; its samples are in the payload, as JSON.
  case held(HeldStage)
  case openSample(SampleOpening)
  case closeSample
  case stepBegin(StepOrder)
  case stepDone(StepReport)
  case takeSnapshot(SnapshotOrder)
  /// What a snapshot consists of, as JSON in the payload. From a stage: that which was asked for; from the coordinator: that
  /// with which a sample begins. Its tensors follow in chunks.
  case snapshot
  case task(TaskOrder)
  case taskDone(TaskReport)
  case chunk(TensorChunk)
  case ack(ChunkReceipt)
  case resend(ChunkRequest)
  case credit(WindowChange)
  case submit(Submission)
  case accepted(Acceptance)
  /// Asks for the status, or answers with JSON in the payload.
  case status
  case cancel
  /// Asks for a list of jobs or for something to be done about one, in the payload; a list is answered in the same kind.
  case jobs
  /// Asks for how a job ends, and what it has made.
  case fetch
  case event(JobEvent)
  case done(JobEnding)

  public var kind: MessageKind {
    switch self {
    case .current: .current
    case .release: .release
    case .closeSample: .closeSample
    case .snapshot: .snapshot
    case .status: .status
    case .cancel: .cancel
    case .jobs: .jobs
    case .fetch: .fetch
    default: fields.map { type(of: $0).kind } ?? .current
    }
  }

  /// The fields of the kind's own; nil for a kind that has none.
  var fields: (any MessageFields)? {
    switch self {
    case .hello(let body): body
    case .welcome(let body): body
    case .refused(let body): body
    case .heartbeat(let body): body
    case .received(let body): body
    case .assign(let body): body
    case .ready(let body): body
    case .failed(let body): body
    case .held(let body): body
    case .openSample(let body): body
    case .stepBegin(let body): body
    case .stepDone(let body): body
    case .takeSnapshot(let body): body
    case .task(let body): body
    case .taskDone(let body): body
    case .chunk(let body): body
    case .ack(let body): body
    case .resend(let body): body
    case .credit(let body): body
    case .submit(let body): body
    case .accepted(let body): body
    case .event(let body): body
    case .done(let body): body
    case .current, .release, .closeSample, .snapshot, .status, .cancel, .jobs, .fetch: nil
    }
  }

  /// Bytes that may stand in the payload.
  func payloadRule(_ limits: Limits) -> PayloadRule {
    self == .status || self == .jobs || self == .snapshot
      ? .atMost(limits.reportBytes) : fields?.payloadRule(limits) ?? .none
  }
}
