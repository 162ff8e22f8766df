import Messaging

/// Who has which blocks.
extension CoordinatorCore {
  // MARK: - Which pipeline

  /// That which a worker has a stage of.
  func pipeline(of worker: String) -> Pipeline? { pipelines.first { $0.stage(of: worker) != nil } }

  func pipeline(_ attempt: UInt32) -> Pipeline? { pipelines.first { $0.attempt == attempt } }

  /// That which a sample has its place in.
  func pipeline(of key: SampleKey) -> Pipeline? {
    index(of: key.job).flatMap { jobs[$0].place(ofRow: key.row) }.flatMap { pipeline($0) }
  }

  /// Whether jobs are in a pipeline, so that it must stay as it is.
  func isInUse(_ pipeline: Pipeline) -> Bool {
    !pipeline.held.isEmpty || jobs.contains { $0.places.contains(pipeline.attempt) }
  }

  /// Whether others could take the place of some, or there are none.
  var hasIdlePipelines: Bool { pipelines.isEmpty || !pipelines.allSatisfy(isInUse) }

  /// Who has a stage of a sample; nil on a plain transport.
  func key(ofStage number: Int, of key: SampleKey) -> PublicKey? {
    guard let stages = pipeline(of: key)?.plan.stages, stages.indices.contains(number) else { return nil }
    return index(of: stages[number].worker).flatMap { workers[$0].peer.key }
  }

  /// Whose outputs are taken; nil on a plain transport.
  func lastStageKey(of key: SampleKey) -> PublicKey? {
    pipeline(of: key).flatMap { self.key(ofStage: $0.lastStage, of: key) }
  }

  // MARK: - Assigning

  /// - Parameter held: under which the workers hold the stages already, with the samples in them.
  mutating func assign(
    _ plan: StagePlan, _ facts: JobFacts, held: (stages: Assignment.Held, samples: [SampleKey])? = nil
  ) {
    let attempt = nextAttempt()
    pipelines.append(
      Pipeline(
        model: facts.model, attempt: attempt, plan: plan, assigned: milliseconds,
        loading: Set(0..<UInt32(plan.stages.count)), held: held?.samples ?? []))
    for (number, stage) in plan.stages.enumerated() {
      guard let worker = index(of: stage.worker) else { continue }
      let next = number + 1 < plan.stages.count ? neighbour(plan.stages[number + 1].worker) : identity.outputs
      let previous = number > 0 ? index(of: plan.stages[number - 1].worker).flatMap { workers[$0].peer.key } : nil
      let assignment = Assignment(
        blocks: UInt32(stage.blocks.lowerBound)..<UInt32(stage.blocks.upperBound), stages: UInt32(plan.stages.count),
        model: facts.model.digest, precision: WirePrecision(facts.model.precision), next: next,
        previousKey: previous, leaseMilliseconds: UInt32(WorkerRecord.leaseMilliseconds), held: held?.stages)
      if held == nil { workers[worker].forgetHeld() }
      post(.assign(assignment), fence: Fence(attempt: attempt, stage: UInt32(number)), to: worker)
    }
    let ranges = plan.stages.map { "\($0.worker) blocks \($0.blocks.lowerBound)-\($0.blocks.upperBound - 1)" }
    let text = held == nil ? "Stages for" : "Stages go on as they are for"
    emit(.note("\(text) \(facts.modelName): \(ranges.joined(separator: ", "))."))
    for left in plan.leftOut { emit(.note("The worker \(left.worker) has no blocks: \(left.reason).")) }
  }

  private func neighbour(_ worker: String) -> Assignment.Neighbour? {
    index(of: worker).map { Assignment.Neighbour(address: workers[$0].hello.address, key: workers[$0].peer.key) }
  }

  mutating func take(_ readiness: Readiness, _ fence: Fence, _ worker: Int) {
    workers[worker].residentBytes = readiness.residentBytes
    guard let index = pipelines.firstIndex(where: { $0.attempt == fence.attempt }),
      pipelines[index].stage(of: workers[worker].name) == fence.stage
    else { return }
    pipelines[index].loading.remove(fence.stage)
    guard pipelines[index].isReady else { return }
    let stages = pipelines[index].plan.stages.compactMap { neighbour($0.worker) }
    // What is older than all pipelines is nobody's any more.
    emit(.connect(attempt: fence.attempt, stages, oldest: pipelines[0].attempt))
    needsAdmission = true
  }

  /// Loads of a model that a worker may fail before jobs that it is needed for fail too.
  private static let mostFailedLoads = 3

  /// A worker could not load its stage: for some time the model is done without it.
  mutating func failed(toLoad failure: StageFailure, of pipeline: Pipeline, _ worker: Int) {
    let name = workers[worker].name
    emit(.note("The worker \(name) could not load its blocks: \(failure.text)"))
    let model = pipeline.model.digest
    let count = workers[worker].failed(toLoad: model, now: milliseconds)
    breakPipeline(pipeline.attempt)
    for job in jobs where job.facts.model.digest == model {
      let isHopeless =
        count < Self.mostFailedLoads
        ? !workers.contains { $0.holds(model, now: milliseconds) } : !isPossible(job.facts)
      guard isHopeless else { continue }
      end(job.id, JobEnding(.failed, reason: failure.reason, text: "The worker \(name) says: \(failure.text)"))
    }
  }

  /// All stages of a pipeline are let go.
  mutating func releasePipeline(_ attempt: UInt32) {
    guard let place = pipelines.firstIndex(where: { $0.attempt == attempt }) else { return }
    let pipeline = pipelines.remove(at: place)
    emit(.disconnect(attempt: attempt))
    for stage in pipeline.plan.stages {
      guard let worker = index(of: stage.worker) else { continue }
      workers[worker].forgetHeld()
      post(.release, fence: Fence(attempt: attempt), to: worker)
    }
  }

  /// A stage is lost, and with it what all stages have of the samples: another pipeline does their steps again. Rows of the
  /// same jobs in other pipelines go back with them, since a job's rows go on together.
  mutating func breakPipeline(_ attempt: UInt32) {
    needsReview = true
    for job in jobs.indices where jobs[job].places.contains(attempt) {
      jobs[job].isEndangered = true
      leavePipelines(job)
    }
    releasePipeline(attempt)
  }
}
