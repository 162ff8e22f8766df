import Messaging

/// Stages that hold a model now, or load it. Several pipelines may stand side by side.
struct Pipeline: Sendable, Equatable {
  let model: ModelKey
  /// Its number; that of its stages' assignments.
  let attempt: UInt32
  let plan: StagePlan
  /// When its stages were assigned, in milliseconds.
  var assigned: Int64
  /// Stages that have not loaded yet.
  var loading: Set<UInt32>
  /// Samples that its workers hold since before this coordinator was started, until it is decided what becomes of them. No
  /// other job enters it meanwhile.
  var held: [SampleKey] = []
  /// No job enters it any more: there is a better one for those that wait.
  var isOutgrown = false
  /// A stage is to go, and others can do all jobs: these leave as soon as nothing is lost by it.
  var handsOver = false

  var isReady: Bool { loading.isEmpty }

  var lastStage: Int { plan.stages.count - 1 }

  func stage(of worker: String) -> UInt32? {
    plan.stages.firstIndex { $0.worker == worker }.map(UInt32.init)
  }

  /// Whether another plan has the same blocks at the same workers.
  func hasStages(of other: StagePlan) -> Bool {
    plan.stages.elementsEqual(other.stages) { $0.worker == $1.worker && $0.blocks == $1.blocks }
  }
}
