import Messaging
import Tensors

/// Which stages there should be.
extension CoordinatorCore {
  /// How much shorter the slowest stage must become for a new plan to be worth loading weights again.
  private static let worthwhileGain = 0.85
  /// Workers often join one after another: a pipeline that serves is not changed for each of them.
  private static let settlingMilliseconds: Int64 = 2_000
  /// Whether there should be another pipeline. As long as jobs are in the present one it stays; if there is a better one for
  /// those that wait, no more are let in.
  mutating func reviewPipeline() {
    needsReview = false
    let isEmpty = !isInUse
    if let pipeline, isEmpty, isToChange(pipeline) { releasePipeline() }
    let isToBeLeft = pipeline.map { handsOver($0) } ?? false
    pipeline?.handsOver = isToBeLeft
    guard let (job, plan) = nextPlan() else { return }
    guard let pipeline else { return assign(plan, job.facts) }
    let serves = pipeline.model == job.facts.model && isRoom(for: [job], in: pipeline) && suits(job, pipeline)
    guard serves else {
      if isEmpty { assign(plan, job.facts) }
      return
    }
    guard !pipeline.hasStages(of: plan), isWorthwhile(plan, in: pipeline, job.facts) else { return }
    guard lastJoined == .min || milliseconds - lastJoined >= Self.settlingMilliseconds else {
      needsReview = true
      return
    }
    if isEmpty { assign(plan, job.facts) } else { self.pipeline?.isOutgrown = true }
  }

  private func handsOver(_ pipeline: Pipeline) -> Bool {
    pipeline.plan.stages.contains { stage in index(of: stage.worker).map { workers[$0].isDraining } ?? false }
      && jobs.allSatisfy { !$0.isAdmitted || isPossible($0.facts) }
  }

  /// At the speeds that the workers have shown since the pipeline was planned.
  private func isWorthwhile(_ plan: StagePlan, in pipeline: Pipeline, _ facts: JobFacts) -> Bool {
    slowestStage(of: plan, facts) <= slowestStage(of: pipeline.plan, facts) * Self.worthwhileGain
  }

  /// Seconds of a step, on the average of a run.
  private func slowestStage(of plan: StagePlan, _ facts: JobFacts) -> Double {
    let times = plan.stages.map { stage in
      guard let worker = index(of: stage.worker) else { return Double.infinity }
      let blocks = facts.blocks[stage.blocks]
      return capacity(workers[worker]).seconds(
        operations: blocks.reduce(0) { $0 + $1.meanOperations }, handingOver: blocks.last?.stateBytes ?? 0)
    }
    return times.max() ?? 0
  }

  /// The first job that workers can be found for, and how. Of the others it is noted why not: they do not hold up those
  /// behind them.
  private mutating func nextPlan() -> (job: JobRecord, plan: StagePlan)? {
    for job in jobs.indices { jobs[job].obstacle = nil }
    obstacle = nil
    var impossible: [(facts: JobFacts, obstacle: String)] = []
    var next: (job: JobRecord, plan: StagePlan)?
    for index in turns {
      let job = jobs[index]
      if let known = impossible.first(where: { $0.facts == job.facts }) {
        jobs[index].obstacle = known.obstacle
        continue
      }
      // Of jobs behind the first with a plan only those of other models can be impossible; they are looked at in their turn.
      guard next == nil else { break }
      switch plan(for: job.facts, blamed: job.blamed, without: job.suspectWorker) {
      case .success(let plan): next = (job, plan)
      case .failure(let failure):
        impossible.append((job.facts, failure.description))
        jobs[index].obstacle = failure.description
      }
    }
    if let obstacle = impossible.first?.obstacle { note(obstacle: obstacle) }
    return next
  }

  func isPossible(_ facts: JobFacts) -> Bool {
    if case .success = plan(for: facts) { true } else { false }
  }

  /// The plan for a job of certain facts: there is room for the caches of all its samples.
  ///
  /// - Parameters:
  ///   - blamed: workers that were lost with the job; others are preferred, as they are to those that are lost often.
  ///   - worker: is done without, if the others can.
  func plan(
    for facts: JobFacts, blamed: [String] = [], without worker: String? = nil
  ) -> Result<StagePlan, StagePlanFailure> {
    let able = workers.filter {
      !$0.isDraining && !isSetAside($0.name) && $0.hello.roles.contains(.stages)
        && $0.holds(facts.model.digest, now: milliseconds)
    }
    guard !able.isEmpty else { return .failure(StagePlanFailure(obstacle(to: facts))) }
    let avoided = histories.filter { $0.isAvoided(now: milliseconds) }.map(\.name) + [worker].compactMap { $0 }
    let good = able.filter { !avoided.contains($0.name) }
    let best = good.filter { !blamed.contains($0.name) }
    for some in [best, good] where !some.isEmpty && some.count < able.count {
      if case .success(let plan) = plan(for: facts, some.map(capacity)) { return .success(plan) }
    }
    return plan(for: facts, able.map(capacity))
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

  private func plan(for facts: JobFacts, _ workers: [WorkerCapacity]) -> Result<StagePlan, StagePlanFailure> {
    // As if there were a sample for every worker: others often follow the first, and a pipeline costs one alone little.
    let waiting = jobs.prefix(workers.count * Self.samplesPerStage).reduce(0) { $0 + $1.facts.rows }
    let result = planning(facts.blocks, workers, max(workers.count, facts.rows, waiting), facts.activationBytes)
    if case .success(let plan) = result, plan.samples < facts.rows {
      // It has room for some of the samples only: then all of them are planned as if they were one.
      var blocks = facts.blocks
      for block in blocks.indices { blocks[block].cacheBytes *= facts.rows }
      return planning(blocks, workers, 1, facts.activationBytes)
    }
    return result
  }

  /// The digests of the models that the workers have, in their order.
  private var modelsHeld: String {
    var digests: [String] = []
    for digest in workers.flatMap(\.hello.models).map(\.shortText) where !digests.contains(digest) {
      digests.append(digest)
    }
    return digests.isEmpty ? "none" : digests.joined(separator: ", ")
  }

  private func capacity(_ worker: WorkerRecord) -> WorkerCapacity {
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
