import Messaging

@testable import RenderCluster

/// Who wants a job of the ledger done, and asks until it knows how that has ended.
struct SimulatedClient {
  let priority: Int
  /// The ledger's number of the job, when it is known.
  var job: UInt64?
  /// How it has ended.
  var told: JobEnding?
  var wantsCancel = false
  /// Whether it wants the job to wait; nil as long as it has no wish.
  var wantsPause: Bool?
  var asked: UInt64 = 0
}
