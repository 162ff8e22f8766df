import Messaging
import Tensors

/// Which stages there should be.
extension CoordinatorCore {
  /// How much of the rate of new plans present ones have at most, for those to be worth loading weights again.
  private static let worthwhileGain = 0.85
  /// Workers often join one after another: pipelines that serve are not changed for each of them.
  static let settlingMilliseconds: Int64 = 2_000

  /// Which pipelines there should be. As long as jobs are in one it stays; if there are better ones for those that wait, no
  /// more are let in.
  mutating func reviewPipelines() {
    needsReview = false
    for pipeline in pipelines where !isInUse(pipeline) && isToChange(pipeline) { releasePipeline(pipeline.attempt) }
    for index in pipelines.indices { pipelines[index].handsOver = handsOver(pipelines[index]) }
    adoptPipelines()
    // Workers that get other blocks let go of what they hold.
    guard !isAwaitingHeld else {
      needsReview = true
      return
    }
    guard let (job, plans) = nextPlans() else { return }
    guard placement(of: job, in: pipelines.filter { !isToChange($0) }) != nil else { return assign(plans, job.facts) }
    let reserved = workersOfOtherModels(than: job.facts.model)
    if reserved.isEmpty { return improve(plans, job.facts) }
    let others = self.plans(for: job.facts, blamed: job.blamed, without: job.suspectWorker, reserved: reserved)
    if case .success(let plans) = others { improve(plans, job.facts) }
  }

  /// In pipelines that jobs are in, or wait for.
  private func workersOfOtherModels(than model: ModelKey) -> Set<String> {
    let others = pipelines.filter { other in other.model != model && jobs.contains { $0.facts.model == other.model } }
    return Set(others.flatMap { $0.plan.stages.map(\.worker) })
  }

  /// Puts better pipelines in the place of those that serve.
  private mutating func improve(_ plans: [StagePlan], _ facts: JobFacts) {
    let present = pipelines.filter { $0.model == facts.model && !isToChange($0) }
    let isAsPresent = plans.allSatisfy { plan in present.contains { $0.hasStages(of: plan) } }
    guard !isAsPresent, isWorthwhile(plans, insteadOf: present.map(\.plan), facts) else { return }
    guard lastJoined == .min || milliseconds - lastJoined >= Self.settlingMilliseconds else {
      needsReview = true
      return
    }
    for index in pipelines.indices where pipelines[index].model == facts.model {
      if !plans.contains(where: { pipelines[index].hasStages(of: $0) }) { pipelines[index].isOutgrown = true }
    }
    assign(plans, facts)
  }

  /// Makes those pipelines whose workers are free; the others follow when these are.
  private mutating func assign(_ plans: [StagePlan], _ facts: JobFacts) {
    for plan in plans {
      let names = plan.stages.map(\.worker)
      let present = pipelines.filter { pipeline in names.contains { pipeline.stage(of: $0) != nil } }
      let stands = present.contains { $0.model == facts.model && !isToChange($0) && $0.hasStages(of: plan) }
      guard !stands, !present.contains(where: isInUse) else { continue }
      for pipeline in present { releasePipeline(pipeline.attempt) }
      assign(plan, facts)
    }
  }

  private func handsOver(_ pipeline: Pipeline) -> Bool {
    pipeline.plan.stages.contains { stage in index(of: stage.worker).map { workers[$0].isDraining } ?? false }
      && jobs.allSatisfy { !$0.places.contains(pipeline.attempt) || isPossible($0.facts) }
  }

  /// At the speeds that the workers have shown since the pipelines were planned.
  private func isWorthwhile(_ plans: [StagePlan], insteadOf present: [StagePlan], _ facts: JobFacts) -> Bool {
    let (capacities, samples) = (workers.map(capacity), samplesExpected(facts, workers.count))
    let rate = plans.rate(facts.blocks, capacities, samples: samples)
    return present.rate(facts.blocks, capacities, samples: samples) <= rate * Self.worthwhileGain
  }

  /// The first job that workers can be found for, and how. Of the others it is noted why not: they do not hold up those
  /// behind them.
  private mutating func nextPlans() -> (job: JobRecord, plans: [StagePlan])? {
    for job in jobs.indices { jobs[job].obstacle = nil }
    obstacle = nil
    var impossible: [(facts: JobFacts, obstacle: String)] = []
    var next: (job: JobRecord, plans: [StagePlan])?
    for index in turns {
      let job = jobs[index]
      if let known = impossible.first(where: { $0.facts == job.facts }) {
        jobs[index].obstacle = known.obstacle
        continue
      }
      // Of jobs behind the first with a plan only those of other models can be impossible; they are looked at in their turn.
      guard next == nil else { break }
      switch plans(for: job.facts, blamed: job.blamed, without: job.suspectWorker) {
      case .success(let plans): next = (job, plans)
      case .failure(let failure):
        impossible.append((job.facts, failure.description))
        jobs[index].obstacle = failure.description
      }
    }
    if let obstacle = impossible.first?.obstacle { note(obstacle: obstacle) }
    return next
  }

  func isPossible(_ facts: JobFacts) -> Bool {
    if case .success = plans(for: facts) { true } else { false }
  }

  /// The plans of pipelines side by side for jobs of certain facts: there is room for the caches of all samples of one.
  ///
  /// - Parameters:
  ///   - blamed: workers that were lost with the job; others are preferred, as they are to those that are lost often.
  ///   - worker: is done without, if the others can.
  ///   - reserved: workers that are for other jobs.
  func plans(
    for facts: JobFacts, blamed: [String] = [], without worker: String? = nil, reserved: Set<String> = []
  ) -> Result<[StagePlan], StagePlanFailure> {
    let able = workers.filter {
      !$0.isDraining && !isSetAside($0.name) && $0.hello.roles.contains(.stages)
        && $0.holds(facts.model.digest, now: milliseconds) && !reserved.contains($0.name)
    }
    guard !able.isEmpty else { return .failure(StagePlanFailure(obstacle(to: facts))) }
    let avoided = histories.filter { $0.isAvoided(now: milliseconds) }.map(\.name) + [worker].compactMap { $0 }
    let good = able.filter { !avoided.contains($0.name) }
    let best = good.filter { !blamed.contains($0.name) }
    for some in [best, good] where !some.isEmpty && some.count < able.count {
      if case .success(let plans) = plans(for: facts, some.map(capacity)) { return .success(plans) }
    }
    return plans(for: facts, able.map(capacity))
  }

  /// Why no worker can have blocks of a model.
  private func obstacle(to facts: JobFacts) -> String {
    guard !workers.isEmpty else { return "There is no worker." }
    let computing = workers.filter { $0.hello.roles.contains(.stages) }
    guard !computing.isEmpty else { return "No worker computes blocks; see clusca worker --roles." }
    let holders = computing.filter { $0.hello.models.contains(facts.model.digest) }
    guard !holders.isEmpty else {
      return "No worker has the model \(facts.modelName) (\(facts.model.digest.shortText)); they have \(modelsHeld)."
    }
    return holders.allSatisfy { isSetAside($0.name) }
      ? "All workers with the model \(facts.modelName) are set aside; clusca workers readmit NAME lets them work again."
      : "All workers with the model \(facts.modelName) are being drained or set aside, or failed to load it."
  }

  private func plans(for facts: JobFacts, _ workers: [WorkerCapacity]) -> Result<[StagePlan], StagePlanFailure> {
    let result = planning(facts.blocks, workers, samplesExpected(facts, workers.count), facts.overheadBytes)
    if case .success(let plans) = result, plans.reduce(0, { $0 + $1.samples }) < facts.rows {
      // They have room for some of the samples only: then all of them are planned as if they were one.
      var blocks = facts.blocks
      for block in blocks.indices {
        blocks[block].cacheBytes *= facts.rows
        blocks[block].transitBytes *= facts.rows
      }
      return planning(blocks, workers, 1, facts.overheadBytes)
    }
    return result
  }

  /// As if there were a sample for every worker: others often follow the first, and a pipeline costs one alone little.
  private func samplesExpected(_ facts: JobFacts, _ workers: Int) -> Int {
    let waiting = jobs.prefix(workers * Self.samplesPerStage).reduce(0) { $0 + $1.facts.rows }
    return max(workers, facts.rows, waiting)
  }

  /// The digests of the models that the workers have, in their order.
  private var modelsHeld: String {
    var digests: [String] = []
    for digest in workers.flatMap(\.hello.models).map(\.shortText) where !digests.contains(digest) {
      digests.append(digest)
    }
    return digests.isEmpty ? "none" : digests.joined(separator: ", ")
  }

  func capacity(_ worker: WorkerRecord) -> WorkerCapacity {
    WorkerCapacity(
      name: worker.name, operationsPerSecond: worker.speed.operationsPerSecond,
      memoryBytes: Int(clamping: worker.hello.memoryBytes), bytesPerSecond: worker.bytesPerSecond)
  }

  private mutating func note(obstacle text: String) {
    if lastObstacle != text, identity.waitsForWorkers { emit(.note("Jobs wait: \(text)")) }
    (obstacle, lastObstacle) = (text, text)
    guard !identity.waitsForWorkers else { return }
    for job in jobs {
      guard let obstacle = job.obstacle else { continue }
      end(job.id, JobEnding(.failed, reason: .memory, text: obstacle))
    }
  }
}
