extension MessageKind {
  /// The fields that a header of this kind may have beside the fence.
  var fields: FieldSet {
    switch self {
    case .hello: Hello.fields
    case .welcome: Welcome.fields
    case .refused: Refusal.fields
    case .heartbeat: Heartbeat.fields
    case .received: Receipt.fields
    case .assign: Assignment.fields
    case .ready: Readiness.fields
    case .failed: StageFailure.fields
    case .held: HeldStage.fields
    case .openSample: SampleOpening.fields
    case .stepBegin: StepOrder.fields
    case .stepDone: StepReport.fields
    case .takeSnapshot: SnapshotOrder.fields
    case .task: TaskOrder.fields
    case .taskDone: TaskReport.fields
    case .chunk: TensorChunk.fields
    case .ack: ChunkReceipt.fields
    case .resend: ChunkRequest.fields
    case .credit: WindowChange.fields
    case .submit: Submission.fields
    case .accepted: Acceptance.fields
    case .event: JobEvent.fields
    case .done: JobEnding.fields
    case .current, .release, .closeSample, .snapshot, .status, .cancel, .jobs, .fetch: []
    }
  }
}

extension MessageBody {
  init(_ kind: MessageKind, reading header: HeaderReader) throws(MalformedMessage) {
    switch kind {
    case .hello: self = .hello(try Hello(reading: header))
    case .welcome: self = .welcome(try Welcome(reading: header))
    case .refused: self = .refused(try Refusal(reading: header))
    case .heartbeat: self = .heartbeat(try Heartbeat(reading: header))
    case .received: self = .received(try Receipt(reading: header))
    case .current: self = .current
    case .assign: self = .assign(try Assignment(reading: header))
    case .release: self = .release
    case .ready: self = .ready(try Readiness(reading: header))
    case .failed: self = .failed(try StageFailure(reading: header))
    case .held: self = .held(try HeldStage(reading: header))
    case .openSample: self = .openSample(try SampleOpening(reading: header))
    case .closeSample: self = .closeSample
    case .stepBegin: self = .stepBegin(try StepOrder(reading: header))
    case .stepDone: self = .stepDone(try StepReport(reading: header))
    case .takeSnapshot: self = .takeSnapshot(try SnapshotOrder(reading: header))
    case .snapshot: self = .snapshot
    case .task: self = .task(try TaskOrder(reading: header))
    case .taskDone: self = .taskDone(try TaskReport(reading: header))
    case .chunk: self = .chunk(try TensorChunk(reading: header))
    case .ack: self = .ack(try ChunkReceipt(reading: header))
    case .resend: self = .resend(try ChunkRequest(reading: header))
    case .credit: self = .credit(try WindowChange(reading: header))
    case .submit: self = .submit(try Submission(reading: header))
    case .accepted: self = .accepted(try Acceptance(reading: header))
    case .status: self = .status
    case .cancel: self = .cancel
    case .jobs: self = .jobs
    case .fetch: self = .fetch
    case .event: self = .event(try JobEvent(reading: header))
    case .done: self = .done(try JobEnding(reading: header))
    }
  }
}
