import Messaging

/// A sample: its steps so far, and how far the pipeline that it is in has come with them.
///
/// A pipeline that takes over from a lost one begins with the last snapshot and does the steps behind it again, in their
/// order, or all of them if there is none: that makes the same caches. The outputs of those that the denoiser has seen are
/// not looked at again.
struct SampleRecord: Sendable, Equatable {
  enum State: Sendable, Equatable {
    /// In no pipeline.
    case outside
    /// Its opening is on its way to the stages; those that have not got it, with the number of the message.
    case opening([Opening])
    /// The stages work on it, or could.
    case open
  }

  struct Opening: Sendable, Equatable {
    let worker: String
    let sequence: UInt64
  }

  let key: SampleKey
  let opening: SampleOpening
  let settings: Payload
  var state = State.outside
  var attempt: UInt32 = 0
  /// The stages go on with what they held of it since before this coordinator was started.
  var isAdopted = false
  /// What the denoiser has asked for, by step.
  var steps: [StepRequest] = []
  /// The step with which the pipeline began.
  var start = 0
  /// What is kept of the stages.
  var snapshot: Snapshot?
  /// The next one, on its way.
  var coming: ComingSnapshot?
  /// When the last one was taken, or the pipeline began, in milliseconds.
  var snapshotTime: Int64 = 0
  /// What the stages have computed since then would be done again if one were lost, in milliseconds.
  var keptSince: Int64 = 0
  /// The first step that the pipeline has not done.
  var position = 0
  var inFlight: StepInFlight?
  /// Steps that the denoiser has got.
  var delivered = 0

  init(key: SampleKey, opening: SampleOpening, settings: Payload) {
    self.key = key
    self.opening = opening
    self.settings = settings
  }

  /// The step to begin now, if there is one.
  var next: Int? { state == .open && inFlight == nil && position < steps.count ? position : nil }

  /// Leaves a pipeline. What it did since the last snapshot is done again in the next, unless stages keep nothing from one
  /// step to another.
  mutating func leave(keepsNothing: Bool) {
    state = .outside
    start = keepsNothing ? delivered : snapshot?.step ?? 0
    position = start
    inFlight = nil
    coming = nil
  }
}

/// What a pipeline needs to go on with a sample from a full step.
public struct Snapshot: Sendable, Equatable {
  let step: Int
  let manifest: SnapshotManifest
}

/// A snapshot that the stages were asked for.
struct ComingSnapshot: Sendable, Equatable {
  let step: Int
  /// When, in milliseconds.
  let asked: Int64
  /// Stages that have not told what theirs consists of.
  var untold: Set<UInt32>
  /// Stages of which not all is here.
  var missing: Set<UInt32>
  var manifest = SnapshotManifest()
}

/// A step that the stages work on.
struct StepInFlight: Sendable, Equatable {
  let step: Int
  /// Stages that have not reported.
  var stages: Set<UInt32>
  /// When it began, or a stage last reported, in milliseconds.
  var advanced: Int64
  /// Of a measurement there is none to come.
  var hasOutput = false
  /// What a stage measured.
  var signal: Float?
  /// What the stages found, in the order of their reports.
  var labels: [LabelledStream] = []
  var labelBytes: [UInt8] = []

  var isDone: Bool { stages.isEmpty && hasOutput }
}
