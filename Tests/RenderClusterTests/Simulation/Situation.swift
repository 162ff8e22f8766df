@testable import RenderCluster

/// What simulations must have met, or they would prove nothing about it.
enum Situation: CaseIterable {
  case silentWorker
  case disconnectedWorker
  case hungWorker
  case hungLoad
  case failedLoad
  case stepThatStoodStill
  case avoidedWorker
  case jobWithoutWorkers
  case drainedWorker
  case suspectAlone
  case poisonGivenUp
  case pipelineOutgrown
  case partialRecovery
  case replicas
  case restoredSnapshot
  case adoptedPipeline
  case adopted
  case answeredAgain
  case heldInVain
  case tornJournal
  case failedSync
  case compaction
  case pausedJob
  case refusedForTheDisk
  case workerSetAside
}

extension Simulation {
  private static let words: [(String, Situation)] = [
    ("it has been silent", .silentWorker), ("its connection has ended", .disconnectedWorker),
    ("it has computed nothing", .hungWorker), ("has been loading", .hungLoad),
    ("Stages go on as they are", .adoptedPipeline), ("is adopted", .adopted), ("is let go of", .heldInVain),
    ("could not load", .failedLoad), ("do not get through", .stepThatStoodStill),
    ("others are preferred", .avoidedWorker), ("is set aside", .workerSetAside), ("Jobs wait", .jobWithoutWorkers),
  ]

  func meet(_ note: String) {
    for (word, situation) in Self.words where note.contains(word) { situations.insert(situation) }
  }

  func meetStates() {
    if core.pipelines.count > 1, core.pipelines.allSatisfy(core.isInUse) { situations.insert(.replicas) }
    if core.pipelines.contains(where: \.isOutgrown) { situations.insert(.pipelineOutgrown) }
    for job in core.jobs {
      if job.isAdmitted, job.isSuspect { situations.insert(.suspectAlone) }
      if job.state == .running, !job.isAdmitted, core.jobs.contains(where: \.isAdmitted) {
        situations.insert(.partialRecovery)
      }
    }
  }
}
