import Messaging

/// Which jobs are in the pipeline.
extension CoordinatorCore {
  /// Samples that are in flight at once, for each stage: with as many samples as stages all have work, and a second one
  /// each hides what travelling and the steps between take.
  static let samplesPerStage = 4

  /// Goes on with whatever can go on: the pipeline is made or changed, jobs are let into it as long as they fit, and samples
  /// take their next steps.
  mutating func proceed() {
    releasePaused()
    _ = handOver()
    if needsReview {
      reviewPipeline()
      needsAdmission = true
    }
    guard pipeline?.isReady == true else { return }
    if needsAdmission { admitJobs() }
    for job in jobs.indices where jobs[job].isAdmitted {
      for sample in jobs[job].samples.indices {
        if jobs[job].samples[sample].state == .outside { enter(job, sample) }
        beginStep(job, sample)
      }
    }
    if handOver() { proceed() }
  }

  /// Whether jobs are in the pipeline, so that it must stay as it is.
  var isInUse: Bool { jobs.contains(where: \.isAdmitted) }

  /// The places of the jobs in the order of their turns: those that lost their pipeline, those of them that may be why at
  /// the end, then those that wait. Jobs that are in the pipeline are not among them, nor those that are paused or that
  /// nothing can be done about.
  var turns: [Int] {
    let open = jobs.indices.filter { !jobs[$0].isAdmitted && jobs[$0].obstacle == nil && !isPaused(jobs[$0]) }
    let running = open.filter { jobs[$0].state == .running }
    return inTurn(running.filter { !jobs[$0].isSuspect }) + inTurn(running.filter { jobs[$0].isSuspect })
      + (isDiskFull ? [] : inTurn(open.filter { jobs[$0].state == .waiting }))
  }

  private func inTurn(_ places: [Int]) -> [Int] {
    guard places.count > 1 else { return places }
    let order = JobOrder(
      places.map { ledger.job(jobs[$0].id) ?? .unknown(jobs[$0].id) },
      beside: jobs.filter(\.isAdmitted).compactMap { ledger.job($0.id)?.client })
    return order.places.map { places[$0] }
  }

  /// In their order: a large job is not overtaken for ever by small ones.
  private mutating func admitJobs() {
    needsAdmission = false
    guard let pipeline, !isToChange(pipeline) else { return }
    for index in turns {
      let admitted = jobs.filter(\.isAdmitted)
      guard fits(jobs[index], beside: admitted, in: pipeline) else { return }
      jobs[index].isAdmitted = true
      if ledger.job(jobs[index].id) != nil { commit(.entered(job: jobs[index].id)) }
      needsWork = true
      guard jobs[index].state == .waiting else { continue }
      jobs[index].state = .running
      emit(.start(job: jobs[index].id))
    }
  }

  /// Whether a job's caches and samples have room beside those of others.
  private func fits(_ job: JobRecord, beside others: [JobRecord], in pipeline: Pipeline) -> Bool {
    guard pipeline.model == job.facts.model, suits(job, pipeline) else { return false }
    guard others.isEmpty || !job.isSuspect && !others.contains(where: \.isSuspect) else { return false }
    let samples = others.reduce(job.facts.rows) { $0 + $1.facts.rows }
    guard others.isEmpty || samples <= Self.samplesPerStage * pipeline.plan.stages.count else { return false }
    return isRoom(for: others + [job], in: pipeline)
  }

  func isRoom(for jobs: [JobRecord], in pipeline: Pipeline) -> Bool {
    let activations = jobs.map(\.facts.activationBytes).max() ?? 0
    return pipeline.plan.stages.allSatisfy { stage in
      guard let worker = index(of: stage.worker) else { return false }
      let caches = jobs.reduce(0) { $0 + $1.cacheBytes(stage.blocks) }
      return stage.weightBytes + activations + caches <= Int(clamping: workers[worker].hello.memoryBytes)
    }
  }

  func isToChange(_ pipeline: Pipeline) -> Bool {
    pipeline.isOutgrown
      || pipeline.plan.stages.contains { stage in index(of: stage.worker).map { workers[$0].isDraining } ?? true }
  }
}
