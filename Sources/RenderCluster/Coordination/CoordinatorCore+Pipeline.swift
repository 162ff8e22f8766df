import Messaging

/// Who has which blocks.
extension CoordinatorCore {
  /// Pipelines that may be lost under a sample without it getting further than ever; then it is what kills them.
  private static let maximumLostPipelines = 6
  /// Samples that are in flight at once, for each stage: with as many samples as stages all have work, and a second one
  /// each hides what travelling and the steps between take.
  private static let samplesPerStage = 4
  /// How much shorter the slowest stage must become for a new plan to be worth loading weights again.
  private static let worthwhileGain = 0.85

  /// Goes on with whatever can go on: a pipeline is made or changed when none of its jobs is running, jobs are started as
  /// long as they fit, and samples take their next steps.
  mutating func proceed() {
    if !jobs.contains(where: { $0.state == .running }) { reviewPipeline() }
    startJobs()
    guard pipeline?.isReady == true else { return }
    for job in jobs.indices where jobs[job].state == .running {
      for sample in jobs[job].samples.indices {
        if jobs[job].samples[sample].state == .outside { enter(job, sample) }
        beginStep(job, sample)
      }
    }
  }

  /// Without running jobs: whether another pipeline would be better for the first job that waits.
  private mutating func reviewPipeline() {
    if let pipeline, pipeline.plan.stages.contains(where: { isDraining($0.worker) }) { releasePipeline() }
    guard let job = jobs.first else { return }
    guard let plan = plan(for: job.facts) else { return }
    if let pipeline, pipeline.model == job.facts.model, fits(job, in: pipeline),
      plan.interval > pipeline.plan.interval * Self.worthwhileGain
    {
      return
    }
    assign(plan, job.facts)
  }

  private func isDraining(_ worker: String) -> Bool { index(of: worker).map { workers[$0].isDraining } ?? false }

  /// The plan for a job of certain facts; without one it is said why, and the job waits, or fails if no worker is missing.
  private mutating func plan(for facts: JobFacts) -> StagePlan? {
    let capacities = workers.filter { !$0.isDraining && $0.hello.models.contains(facts.model.digest) }.map { worker in
      WorkerCapacity(
        name: worker.name, operationsPerSecond: worker.speed.operationsPerSecond,
        memoryBytes: Int(clamping: worker.hello.memoryBytes), bytesPerSecond: Self.assumedBytesPerSecond)
    }
    guard !capacities.isEmpty else {
      note(
        obstacle: workers.isEmpty
          ? "There is no worker." : "No worker has the model \(facts.modelName) (\(facts.model.digest.shortText)).")
      return nil
    }
    // As if there were a sample for every worker: others often follow the first, and a pipeline costs one alone little.
    let waiting = jobs.prefix(capacities.count * Self.samplesPerStage).reduce(0) { $0 + $1.facts.rows }
    switch planning(facts.blocks, capacities, max(capacities.count, waiting), facts.activationBytes) {
    case .success(let plan):
      obstacle = nil
      return plan
    case .failure(let failure):
      note(obstacle: "\(failure)")
      return nil
    }
  }

  /// Of a link between workers, until one has been measured: 1 Gbit/s.
  private static let assumedBytesPerSecond = 110e6

  private mutating func note(obstacle text: String) {
    if obstacle != text, identity.waitsForWorkers { emit(.note("Jobs wait: \(text)")) }
    obstacle = text
    if !identity.waitsForWorkers { for job in jobs { end(job.id, JobEnding(.failed, reason: .memory, text: text)) } }
  }

  // MARK: - Assigning

  private mutating func assign(_ plan: StagePlan, _ facts: JobFacts) {
    releasePipeline()
    let attempt = nextAttempt()
    pipeline = Pipeline(
      model: facts.model, attempt: attempt, plan: plan, activationBytes: facts.activationBytes,
      loading: Set(0..<UInt32(plan.stages.count)))
    for (number, stage) in plan.stages.enumerated() {
      guard let worker = index(of: stage.worker) else { continue }
      let next = number + 1 < plan.stages.count ? neighbour(plan.stages[number + 1].worker) : identity.outputs
      let previous = number > 0 ? index(of: plan.stages[number - 1].worker).flatMap { workers[$0].peer.key } : nil
      let assignment = Assignment(
        blocks: UInt32(stage.blocks.lowerBound)..<UInt32(stage.blocks.upperBound), stages: UInt32(plan.stages.count),
        model: facts.model.digest, precision: facts.model.precision == .float32 ? .float32 : .bfloat16, next: next,
        previousKey: previous, leaseMilliseconds: UInt32(WorkerRecord.leaseMilliseconds))
      post(.assign(assignment), fence: Fence(attempt: attempt, stage: UInt32(number)), to: worker)
    }
    let ranges = plan.stages.map { "\($0.worker) blocks \($0.blocks.lowerBound)-\($0.blocks.upperBound - 1)" }
    emit(.note("Stages for \(facts.modelName): \(ranges.joined(separator: ", "))."))
    for left in plan.leftOut { emit(.note("The worker \(left.worker) has no blocks: \(left.reason).")) }
  }

  /// Whose outputs are taken; nil on a plain transport.
  var lastStageKey: PublicKey? {
    pipeline?.plan.stages.last.flatMap { index(of: $0.worker) }.flatMap { workers[$0].peer.key }
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

  /// A worker could not load its stage.
  mutating func failed(toLoad failure: StageFailure, _ worker: Int) {
    // Of no use for this model; the plan is made without it.
    let name = workers[worker].name
    emit(.note("The worker \(name) could not load its blocks: \(failure.text)"))
    guard let model = pipeline?.model.digest else { return }
    workers[worker].hello.models.removeAll { $0 == model }
    breakPipeline()
    guard !workers.contains(where: { $0.hello.models.contains(model) }) else { return }
    for job in jobs where job.facts.model.digest == model {
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
    for job in jobs.indices {
      for sample in jobs[job].samples.indices where jobs[job].samples[sample].state != .outside {
        emit(.forget(jobs[job].samples[sample].key, attempt: jobs[job].samples[sample].attempt))
        jobs[job].samples[sample].leave()
        jobs[job].samples[sample].lostPipelines += 1
        if jobs[job].samples[sample].lostPipelines >= Self.maximumLostPipelines {
          fail(
            jobs[job].samples[sample].key, .internal,
            "\(Self.maximumLostPipelines) times workers were lost at its step \(jobs[job].samples[sample].delivered + 1)."
          )
        }
      }
    }
    guard let running = jobs.first(where: { $0.state == .running }), let plan = plan(for: running.facts) else { return }
    assign(plan, running.facts)
  }

  /// Jobs that lost their pipeline wait for workers; as soon as there are enough there is another one.
  mutating func mendPipeline() {
    guard pipeline == nil, let running = jobs.first(where: { $0.state == .running }),
      let plan = plan(for: running.facts)
    else { return }
    assign(plan, running.facts)
  }

  // MARK: - Admitting

  /// Whether a job's caches fit beside those of the jobs that run.
  private func fits(_ job: JobRecord, in pipeline: Pipeline) -> Bool {
    guard pipeline.model == job.facts.model, job.facts.activationBytes <= pipeline.activationBytes else { return false }
    return pipeline.plan.stages.allSatisfy { stage in
      guard let worker = index(of: stage.worker) else { return false }
      let running = jobs.filter { $0.state == .running && $0.id != job.id }
      let caches = running.reduce(job.cacheBytes(stage.blocks)) { $0 + $1.cacheBytes(stage.blocks) }
      return stage.weightBytes + pipeline.activationBytes + caches <= Int(clamping: workers[worker].hello.memoryBytes)
    }
  }

  private mutating func startJobs() {
    mendPipeline()
    guard let pipeline, pipeline.isReady else { return }
    let isToChange = pipeline.plan.stages.contains { isDraining($0.worker) }
    for index in jobs.indices where jobs[index].state == .waiting {
      let samples = jobs.reduce(0) { $0 + ($1.state == .running ? $1.facts.rows : 0) }
      // In their order: a large job is not overtaken for ever by small ones.
      guard !isToChange, fits(jobs[index], in: pipeline),
        samples == 0 || samples + jobs[index].facts.rows <= Self.samplesPerStage * pipeline.plan.stages.count
      else { return }
      jobs[index].state = .running
      emit(.start(job: jobs[index].id))
    }
  }
}
