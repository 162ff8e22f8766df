import Messaging

/// Who has which blocks.
extension CoordinatorCore {
  // MARK: - Assigning

  mutating func assign(_ plan: StagePlan, _ facts: JobFacts) {
    releasePipeline()
    let attempt = nextAttempt()
    pipeline = Pipeline(
      model: facts.model, attempt: attempt, plan: plan, assigned: milliseconds,
      loading: Set(0..<UInt32(plan.stages.count)))
    for (number, stage) in plan.stages.enumerated() {
      guard let worker = index(of: stage.worker) else { continue }
      let next = number + 1 < plan.stages.count ? neighbour(plan.stages[number + 1].worker) : identity.outputs
      let previous = number > 0 ? index(of: plan.stages[number - 1].worker).flatMap { workers[$0].peer.key } : nil
      let assignment = Assignment(
        blocks: UInt32(stage.blocks.lowerBound)..<UInt32(stage.blocks.upperBound), stages: UInt32(plan.stages.count),
        model: facts.model.digest, precision: WirePrecision(facts.model.precision), next: next,
        previousKey: previous, leaseMilliseconds: UInt32(WorkerRecord.leaseMilliseconds))
      post(.assign(assignment), fence: Fence(attempt: attempt, stage: UInt32(number)), to: worker)
    }
    let ranges = plan.stages.map { "\($0.worker) blocks \($0.blocks.lowerBound)-\($0.blocks.upperBound - 1)" }
    emit(.note("Stages for \(facts.modelName): \(ranges.joined(separator: ", "))."))
    for left in plan.leftOut { emit(.note("The worker \(left.worker) has no blocks: \(left.reason).")) }
  }

  /// Whose outputs are taken; nil on a plain transport.
  var lastStageKey: PublicKey? { pipeline.flatMap { key(ofStage: $0.plan.stages.count - 1) } }

  func key(ofStage number: Int) -> PublicKey? {
    guard let stages = pipeline?.plan.stages, stages.indices.contains(number) else { return nil }
    return index(of: stages[number].worker).flatMap { workers[$0].peer.key }
  }

  private func neighbour(_ worker: String) -> Assignment.Neighbour? {
    index(of: worker).map { Assignment.Neighbour(address: workers[$0].hello.address, key: workers[$0].peer.key) }
  }

  mutating func take(_ readiness: Readiness, _ fence: Fence, _ worker: Int) {
    workers[worker].residentBytes = readiness.residentBytes
    guard let pipeline, fence.attempt == pipeline.attempt, pipeline.stage(of: workers[worker].name) == fence.stage
    else { return }
    self.pipeline?.loading.remove(fence.stage)
    guard self.pipeline?.isReady == true else { return }
    emit(.connect(attempt: pipeline.attempt, pipeline.plan.stages.compactMap { neighbour($0.worker) }))
  }

  /// Loads of a model that a worker may fail before jobs that it is needed for fail too.
  private static let mostFailedLoads = 3

  /// A worker could not load its stage: for some time the model is done without it.
  mutating func failed(toLoad failure: StageFailure, _ worker: Int) {
    let name = workers[worker].name
    emit(.note("The worker \(name) could not load its blocks: \(failure.text)"))
    guard let model = pipeline?.model.digest else { return }
    let count = workers[worker].failed(toLoad: model, now: milliseconds)
    breakPipeline()
    for job in jobs where job.facts.model.digest == model {
      let isHopeless =
        count < Self.mostFailedLoads
        ? !workers.contains { $0.holds(model, now: milliseconds) } : !isPossible(job.facts)
      guard isHopeless else { continue }
      end(job.id, JobEnding(.failed, reason: failure.reason, text: "The worker \(name) says: \(failure.text)"))
    }
  }

  /// All stages are let go.
  mutating func releasePipeline() {
    guard let pipeline else { return }
    self.pipeline = nil
    emit(.disconnect)
    for stage in pipeline.plan.stages {
      guard let worker = index(of: stage.worker) else { continue }
      post(.release, fence: Fence(attempt: pipeline.attempt), to: worker)
    }
  }

  /// A stage is lost, and with it what all stages have of the samples: another pipeline does their steps again.
  mutating func breakPipeline() {
    releasePipeline()
    needsReview = true
    for job in jobs.indices {
      if jobs[job].isAdmitted { jobs[job].isEndangered = true }
      jobs[job].isAdmitted = false
      for sample in jobs[job].samples.indices where jobs[job].samples[sample].state != .outside {
        emit(.forget(jobs[job].samples[sample].key, attempt: jobs[job].samples[sample].attempt))
        jobs[job].samples[sample].leave(keepsNothing: jobs[job].facts.keepsNothing)
      }
    }
  }
}
