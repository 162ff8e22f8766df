import Messaging

/// A job as the coordinator knows it, from its submission to its end.
struct JobRecord: Sendable, Equatable {
  enum State: Sendable, Equatable {
    case waiting
    case running
  }

  /// Pipelines that may be lost without the job getting further than ever before it has to be alone in one.
  static let mostSharedLosses = 3
  /// Then it is what kills them.
  static let mostLosses = 6

  let id: UInt64
  let facts: JobFacts
  var state = State.waiting
  var samples: [SampleRecord] = []
  /// The pipelines that have room for the caches of its rows, which is kept for it until it ends or loses one of them; by
  /// row, and empty for a job that has none.
  var places: [UInt32] = []
  /// Why no set of the workers can do it.
  var obstacle: String?
  /// Pipelines that were lost, maybe by its doing, since it last got further than ever.
  var losses = 0
  /// Workers that were lost with them: others are preferred.
  var blamed: [String] = []
  /// Orders that a sample of it has done: the furthest ever, in this run of the coordinator or one before.
  var mark = 0
  /// A step whose numbers were none.
  var numericFailure: NumericFailure?
  /// A pipeline was lost with it, so that another may be: snapshots are taken as often as can be.
  var isEndangered = false
  /// Snapshots of it have no room.
  var takesNoSnapshots = false
  /// Tensors of it that did not arrive whole.
  var lostTensors = 0

  /// The worker whose numbers were none, until others have done the step.
  var suspectWorker: String? { numericFailure.flatMap { $0.isCleared ? nil : $0.worker } }

  init(id: UInt64, facts: JobFacts) {
    self.id = id
    self.facts = facts
  }

  /// It runs alone, so that it is certain whether it is to blame, and others do not suffer with it.
  var isSuspect: Bool { losses >= Self.mostSharedLosses }

  /// Orders that no pipeline does again.
  var keptSteps: Int {
    guard samples.count == facts.rows else { return 0 }
    return samples.map { facts.keepsNothing ? $0.delivered : $0.snapshot?.step ?? 0 }.min() ?? 0
  }

  /// How long stages have computed what would be done again if a worker were lost now, in milliseconds.
  ///
  /// - Parameter now: in milliseconds.
  func lossMilliseconds(now: Int64) -> Int64 {
    guard !facts.keepsNothing else { return 0 }
    return samples.filter { $0.state != .outside }.map { max(0, now - $0.keptSince) }.max() ?? 0
  }

  /// It is in pipelines.
  var isAdmitted: Bool { !places.isEmpty }

  func place(ofRow row: UInt32) -> UInt32? { places.indices.contains(Int(row)) ? places[Int(row)] : nil }

  func rows(in pipeline: UInt32) -> Int { places.count { $0 == pipeline } }

  /// The most that a snapshot of a sample takes: tensors of a block are rounded up to some kilobytes.
  var snapshotBytes: Int { facts.blocks.reduce(0) { $0 + $1.cacheBytes + SnapshotManifest.roundingBytes } }

  /// Whether a stage has something to do for it, which may be why its process died.
  func mayHaveKilled(_ stage: UInt32, of pipeline: UInt32) -> Bool {
    samples.contains { sample in
      guard place(ofRow: sample.key.row) == pipeline else { return false }
      if let step = sample.inFlight { return step.stages.contains(stage) }
      // Before the step that it begins with, the stage may be opening it.
      if case .opening = sample.state { return true }
      return sample.state == .open && sample.position == sample.start
    }
  }
}
