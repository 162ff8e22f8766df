import Messaging
import StrictJSON

/// What happens to a coordinator; ``CoordinatorCore`` makes effects of it.
public enum CoordinatorEvent: Sendable {
  /// A worker said hello, on a new connection or again on an old one.
  case hello(Hello, from: Peer)
  /// Any other message of a worker.
  case message(Message, Payload, from: Peer)
  /// A worker's connection has ended, it seems; its process may have, too.
  case disconnected(Peer)
  /// A worker is gone for certain: its process has ended.
  case gone(worker: String)
  /// A worker's key was taken off the list.
  case revoked(worker: String)
  /// Somebody wants a job done; it gets the number `job`, which is new.
  case submitted(job: UInt64, JobFacts)
  /// Somebody wants a job ended.
  case cancelled(job: UInt64)
  /// A job that was started has come to its end outside of the stages.
  case finished(job: UInt64)
  /// The denoiser opens a sample; it gets by itself what comes before a snapshot, and what so many orders have given to a
  /// process before this one.
  case opened(SampleKey, SampleOpening, settings: Payload, Snapshot? = nil, answers: Int = 0)
  /// The denoiser wants the next step of a sample.
  case wanted(SampleKey, StepRequest)
  /// The denoiser closes a sample.
  case closed(SampleKey)
  /// The last stage's output of a step is here.
  case output(SampleKey, attempt: UInt32, step: UInt32)
  /// The output of a step cannot be had, as the end of a sentence.
  case lost(SampleKey, attempt: UInt32, String)
  /// All tensors of a stage's snapshot are here.
  case snapshotArrived(SampleKey, attempt: UInt32, stage: UInt32)
  /// A snapshot cannot be had, as the end of a sentence.
  case snapshotLost(SampleKey, attempt: UInt32, String)
  /// Something is to be done beside the pipeline.
  case taskWanted(WantedTask)
  /// Nobody waits for that any more.
  case taskDropped(UInt64)
  /// How fast a worker's link is.
  case linkMeasured(worker: String, bytesPerSecond: Double)
  /// Time has passed.
  case tick

  // Of jobs that are kept in the ledger.

  /// The coordinator begins with what its journal has told. Jobs up to a number have left files behind, and their numbers are
  /// not given again.
  case began(filesUpTo: UInt64)
  /// A client wants a job done.
  case asked(JobSubmission, from: Asker)
  case command(JobCommand, from: Asker)
  /// A client wants to be told how a job ends, and to be given what it has made.
  case awaited(job: UInt64, from: Asker)
  case listed(JobQuery, from: Asker)
  /// Somebody wants to know everything; the answer has these parts beside the core's.
  case statusWanted(JSONObject, from: Asker)
  /// Who renders a job tells how far it is.
  case progressed(job: UInt64, JobEvent.Phase, Int)
  /// The outputs of a job are on the disk, under their names.
  case rendered(job: UInt64, [LedgerJob.Output])
  /// Who renders a job has given up.
  case failed(job: UInt64, JobError)
  /// The disk has become full, or has room again.
  case disk(isFull: Bool)
}

/// What a coordinator is to do. In their order.
public enum CoordinatorEffect: Sendable, Equatable {
  /// To the worker's connection.
  case send(Message, Payload, to: Peer)
  /// Starts to denoise a job.
  case start(job: UInt64)
  /// Ends a job that waits or runs.
  case end(job: UInt64, JobEnding)
  /// Lines to the stages of a pipeline. Nothing of attempts before the oldest one is expected any more.
  case connect(attempt: UInt32, [Assignment.Neighbour], oldest: UInt32)
  /// The lines to the stages of a pipeline are closed.
  case disconnect(attempt: UInt32)
  /// The sample is open at all stages: they are sent what it shall show.
  case sendCondition(SampleKey, attempt: UInt32)
  /// The latents of a step go to the first stage, and its output is expected.
  case sendLatents(SampleKey, attempt: UInt32, step: UInt32)
  /// The output of a step that stages have done already is expected.
  case expectOutput(SampleKey, attempt: UInt32, step: UInt32)
  /// The tensors of a stage's snapshot are expected.
  case expectSnapshot(SampleKey, attempt: UInt32, step: UInt32, stage: UInt32, SnapshotManifest)
  /// The snapshot that was expected is given up.
  case dropSnapshot(SampleKey, attempt: UInt32)
  /// The snapshot that was expected takes the place of the one before: nothing before its step is needed any more.
  case keepSnapshot(SampleKey, step: UInt32)
  /// The snapshot that is kept goes to the stages, which have these blocks.
  case sendSnapshot(SampleKey, attempt: UInt32, step: UInt32, [Range<Int>])
  /// What was sent of a sample or is expected has no point any more.
  case forget(SampleKey, attempt: UInt32)
  /// The step that the denoiser wanted is done, or measured.
  case stepDone(SampleKey, step: UInt32, signal: Float?, [LabelledStream], labels: Payload)
  /// A stage has computed, for whoever draws it; microseconds by the coordinator's clock.
  case computed(StageSpan)
  /// A worker has a task: it is sent what it needs, and the result is expected from it.
  case taskBegun(UInt64, attempt: UInt32, Assignment.Neighbour)
  /// A worker has done a task; its tensors are on their way or here.
  case taskDone(UInt64, Payload)
  /// No worker does a task.
  case taskFailed(UInt64)
  /// A probe is sent to a worker, under the number of its session.
  case measureLink(worker: String, UInt32, Assignment.Neighbour)
  /// Something that people should know.
  case note(String)
  /// To be written down. Effects behind it wait until it is on the disk.
  case record(LedgerEntry, date: UInt64)
  /// Begins to render a job of the ledger.
  case work(LedgerJob)
  /// A job of the ledger has ended or shall wait: rendering it has no point any more.
  case halt(job: UInt64)
  /// A client is told how a job has ended, and is given what it has made.
  case deliver(LedgerJob, to: Peer)
  /// A job of the ledger has ended for good: nobody goes on with it.
  case ended(job: UInt64)
  /// What a job has made goes.
  case discard(LedgerJob)
}

/// A stage's work on one step.
public struct StageSpan: Sendable, Hashable {
  public var worker: String
  public var stage: UInt32
  public var sample: SampleKey
  public var step: UInt32
  public var isFull: Bool
  /// By the coordinator's clock, in microseconds.
  public var start: Int64
  public var microseconds: Int64
}
