import Messaging

/// The stages that hold a model now, or load it.
struct Pipeline: Sendable, Equatable {
  let model: ModelKey
  /// Its number; that of every assignment.
  let attempt: UInt32
  let plan: StagePlan
  let activationBytes: Int
  /// Stages that have not loaded yet.
  var loading: Set<UInt32>

  var isReady: Bool { loading.isEmpty }

  func stage(of worker: String) -> UInt32? {
    plan.stages.firstIndex { $0.worker == worker }.map(UInt32.init)
  }
}
