import Messaging

/// Which jobs are in the pipelines.
extension CoordinatorCore {
  /// Samples that are in flight at once, for each stage: with as many samples as stages all have work, and a second one
  /// each hides what travelling and the steps between take.
  static let samplesPerStage = 4

  /// Goes on with whatever can go on: pipelines are made or changed, jobs are let into them as long as they fit, and samples
  /// take their next steps.
  mutating func proceed() {
    releasePaused()
    _ = handOver()
    if needsReview {
      reviewPipelines()
      needsAdmission = true
    }
    settleHeld()
    if needsAdmission { admitJobs() }
    for job in jobs.indices where jobs[job].isAdmitted {
      for sample in jobs[job].samples.indices {
        if jobs[job].samples[sample].state == .outside { enter(job, sample) }
        beginStep(job, sample)
      }
    }
    if handOver() { proceed() }
  }

  /// The places of the jobs in the order of their turns: those that lost a pipeline, those of them that may be why at
  /// the end, then those that wait. Jobs that are in pipelines are not among them, nor those that are paused or that
  /// nothing can be done about.
  var turns: [Int] {
    let open = jobs.indices.filter {
      !jobs[$0].isAdmitted && jobs[$0].obstacle == nil && !isPaused(jobs[$0]) && !awaitsHeld(jobs[$0])
    }
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
    for index in jobs.indices where !jobs[index].isAdmitted && !isPaused(jobs[index]) {
      if let places = heldPlaces(of: jobs[index]) { admit(index, to: places) }
    }
    // Of pipelines that are made together one is ready first, and would get all rows.
    let usable = pipelines.filter {
      ($0.isReady || milliseconds - $0.assigned < Self.settlingMilliseconds) && !isToChange($0) && $0.held.isEmpty
    }
    guard usable.contains(where: \.isReady) else { return }
    for index in turns {
      guard let places = placement(of: jobs[index], in: usable, beside: jobs.filter(\.isAdmitted)),
        usable.allSatisfy({ $0.isReady || !places.contains($0.attempt) })
      else { return }
      admit(index, to: places)
    }
  }

  private mutating func admit(_ job: Int, to places: [UInt32]) {
    jobs[job].places = places
    if ledger.job(jobs[job].id) != nil { commit(.entered(job: jobs[job].id)) }
    needsWork = true
    guard jobs[job].state == .waiting else { return }
    jobs[job].state = .running
    emit(.start(job: jobs[job].id))
  }

  /// The pipelines for the rows of a job, one after the other each where it will be done soonest; nil if one of them has no
  /// room.
  func placement(of job: JobRecord, in pipelines: [Pipeline], beside others: [JobRecord] = []) -> [UInt32]? {
    let suitable = pipelines.filter { pipeline in
      let there = others.filter { $0.places.contains(pipeline.attempt) }
      return pipeline.model == job.facts.model && suits(job, pipeline)
        && (there.isEmpty || !job.isSuspect && !there.contains(where: \.isSuspect))
    }
    let capacities = workers.map(capacity)
    var placed = job
    for _ in 0..<job.facts.rows {
      let choices = suitable.compactMap { pipeline -> (attempt: UInt32, seconds: Double)? in
        let others = others + [placed]
        let samples = others.reduce(1) { $0 + $1.rows(in: pipeline.attempt) }
        let isAlone = samples == 1 + placed.rows(in: pipeline.attempt)
        guard isAlone || samples <= Self.samplesPerStage * pipeline.plan.stages.count,
          isRoom(forRowOf: job, beside: others, in: pipeline)
        else { return nil }
        let pace = MeanPace(pipeline.plan, job.facts.blocks, capacities)
        return (pipeline.attempt, pace.seconds(samples: samples))
      }
      guard let soonest = choices.min(by: { $0.seconds < $1.seconds }) else { return nil }
      placed.places.append(soonest.attempt)
    }
    return placed.places
  }

  /// Whether another row of a job has room beside those in a pipeline.
  func isRoom(forRowOf job: JobRecord, beside others: [JobRecord], in pipeline: Pipeline) -> Bool {
    let attempt = pipeline.attempt
    let there = others.filter { $0.places.contains(attempt) }
    return pipeline.plan.stages.allSatisfy { stage in
      guard let worker = index(of: stage.worker) else { return false }
      // Steps are computed one after the other.
      let computing = (there + [job]).map { $0.facts.overheadBytes + $0.facts.blocks.activationBytes(stage.blocks) }
      let samples = there.reduce(job.facts.blocks.sampleBytes(stage.blocks)) {
        $0 + $1.rows(in: attempt) * $1.facts.blocks.sampleBytes(stage.blocks)
      }
      return stage.weightBytes + (computing.max() ?? 0) + samples <= Int(clamping: workers[worker].hello.memoryBytes)
    }
  }

  func isToChange(_ pipeline: Pipeline) -> Bool {
    pipeline.isOutgrown
      || pipeline.plan.stages.contains { stage in index(of: stage.worker).map { workers[$0].isDraining } ?? true }
  }
}
