import Messaging

/// Jobs and their samples, step by step.
extension CoordinatorCore {
  // MARK: - Jobs

  mutating func submit(_ job: UInt64, _ facts: JobFacts) {
    guard index(of: job) == nil else { return }
    let known = ledger.job(job)
    // It may have been ended while its prompt was encoded.
    guard known?.ending == nil else { return emit(.end(job: job, JobEnding(.cancelled))) }
    var record = JobRecord(id: job, facts: facts)
    if let known { (record.losses, record.mark, record.blamed) = (known.losses, known.mark, known.blamed) }
    jobs.append(record)
    needsAdmission = true
    if hasIdlePipelines { needsReview = true }
  }

  /// Ends a job before its time.
  mutating func end(_ job: UInt64, _ ending: JobEnding) {
    conclude(job, ending)
    guard index(of: job) != nil else { return }
    emit(.end(job: job, ending))
    remove(job)
  }

  /// Nobody waits any more for what the stages give: that is no ending of a job in the ledger.
  mutating func withdraw(_ job: UInt64) {
    guard index(of: job) != nil else { return }
    emit(.end(job: job, JobEnding(.cancelled)))
    remove(job)
  }

  mutating func remove(_ job: UInt64) {
    guard let index = index(of: job) else { return }
    for sample in jobs[index].samples { close(sample.key) }
    let isObstructed = jobs[index].obstacle != nil
    jobs.remove(at: index)
    needsAdmission = true
    if isObstructed || hasIdlePipelines { needsReview = true }
  }

  func place(of key: SampleKey) -> (job: Int, sample: Int)? {
    guard let job = index(of: key.job), let sample = jobs[job].samples.firstIndex(where: { $0.key == key }) else {
      return nil
    }
    return (job, sample)
  }

  // MARK: - Opening and closing

  mutating func open(
    _ key: SampleKey, _ opening: SampleOpening, _ settings: Payload, _ snapshot: Snapshot?, answers: Int
  ) {
    guard let job = index(of: key.job), place(of: key) == nil else { return }
    var record = SampleRecord(key: key, opening: opening, settings: settings)
    if let snapshot {
      record.snapshot = snapshot
      record.delivered = snapshot.step
    }
    record.delivered = max(record.delivered, answers)
    record.leave(keepsNothing: jobs[job].facts.keepsNothing)
    jobs[job].samples.append(record)
    jobs[job].samples.sort { $0.key < $1.key }
  }

  /// A sample enters its pipeline.
  mutating func enter(_ job: Int, _ sample: Int) {
    let record = jobs[job].samples[sample]
    guard let pipeline = pipeline(of: record.key) else { return }
    if pipeline.held.contains(record.key) {
      switch continuation(of: record, in: pipeline) {
      case .wait: return
      case .with(let held): return goOn(job, sample, with: held, in: pipeline)
      case .none: dropHeld(record.key, in: pipeline.attempt)
      }
    }
    let attempt = nextAttempt()
    var openings: [SampleRecord.Opening] = []
    for (stage, planned) in pipeline.plan.stages.enumerated() {
      guard let worker = index(of: planned.worker) else { continue }
      let fence = Fence(
        job: record.key.job, row: record.key.row, attempt: attempt, stage: UInt32(stage), step: UInt32(record.position))
      var sequence = post(.openSample(record.opening), record.settings, fence: fence, to: worker)
      if let snapshot = record.snapshot {
        let manifest = snapshot.manifest.restricted(to: planned.blocks)
        sequence = post(.snapshot, manifest.payload, fence: fence, to: worker)
      }
      openings.append(.init(worker: planned.worker, sequence: sequence))
    }
    let time = milliseconds
    jobs[job].samples[sample].attempt = attempt
    jobs[job].samples[sample].state = .opening(openings)
    jobs[job].samples[sample].isAdopted = false
    jobs[job].samples[sample].snapshotTime = time
    jobs[job].samples[sample].keptSince = time
  }

  mutating func openingArrived(at worker: String, sequence: UInt64) {
    for job in jobs.indices {
      for sample in jobs[job].samples.indices {
        guard case .opening(var openings) = jobs[job].samples[sample].state else { continue }
        openings.removeAll { $0.worker == worker && $0.sequence == sequence }
        guard openings.isEmpty else {
          jobs[job].samples[sample].state = .opening(openings)
          continue
        }
        jobs[job].samples[sample].state = .open
        // It has been there since before this process began.
        guard !jobs[job].samples[sample].isAdopted else { continue }
        emit(.sendCondition(jobs[job].samples[sample].key, attempt: jobs[job].samples[sample].attempt))
        sendSnapshot(jobs[job].samples[sample])
      }
    }
  }

  mutating func close(_ key: SampleKey) {
    guard let (job, sample) = place(of: key) else { return }
    leavePipeline(jobs[job].samples[sample])
    jobs[job].samples.remove(at: sample)
  }

  /// The stages let go of a sample.
  private mutating func leavePipeline(_ record: SampleRecord) {
    let key = record.key
    guard record.state != .outside, let pipeline = pipeline(of: key) else { return }
    emit(.forget(key, attempt: record.attempt))
    for (stage, planned) in pipeline.plan.stages.enumerated() {
      guard let worker = index(of: planned.worker) else { continue }
      let fence = Fence(job: key.job, row: key.row, attempt: record.attempt, stage: UInt32(stage))
      post(.closeSample, fence: fence, to: worker)
    }
  }

  /// Jobs that are paused leave their pipelines when none of their steps is in flight.
  mutating func releasePaused() {
    for job in jobs.indices where jobs[job].isAdmitted && isPaused(jobs[job]) {
      guard jobs[job].samples.allSatisfy({ $0.inFlight == nil }) else { continue }
      leavePipelines(job)
      needsReview = true
    }
  }

  /// A job leaves its pipelines; others go on from what is kept of it.
  mutating func leavePipelines(_ job: Int) {
    for sample in jobs[job].samples.indices where jobs[job].samples[sample].state != .outside {
      leavePipeline(jobs[job].samples[sample])
      jobs[job].samples[sample].leave(keepsNothing: jobs[job].facts.keepsNothing)
    }
    jobs[job].places = []
    needsAdmission = true
  }

  func isPaused(_ job: JobRecord) -> Bool { ledger.job(job.id)?.isPaused ?? false }

  /// A job leaves its pipelines and enters them, or others, anew.
  mutating func restart(_ job: Int) {
    leavePipelines(job)
    jobs[job].isEndangered = true
    needsReview = true
  }

  // MARK: - Steps

  mutating func want(_ key: SampleKey, _ request: StepRequest) {
    guard let (job, sample) = place(of: key) else { return }
    jobs[job].samples[sample].steps.append(request)
  }

  /// Begins the next step of a sample, if it can be.
  mutating func beginStep(_ job: Int, _ sample: Int) {
    guard let step = jobs[job].samples[sample].next, let pipeline = pipeline(of: jobs[job].samples[sample].key),
      !isPaused(jobs[job])
    else { return }
    if isHandedOver(jobs[job]), waitsToBeHandedOver(job, sample, before: step) { return }
    if isSnapshotDue(jobs[job], jobs[job].samples[sample]) { takeSnapshot(job, sample, before: step) }
    let record = jobs[job].samples[sample]
    let request = record.steps[step]
    for (stage, planned) in pipeline.plan.stages.enumerated() {
      guard let worker = index(of: planned.worker) else { continue }
      let fence = Fence(
        job: record.key.job, row: record.key.row, attempt: record.attempt, stage: UInt32(stage), step: UInt32(step))
      post(.stepBegin(request.order), request.labels, fence: fence, to: worker)
    }
    jobs[job].samples[sample].inFlight = StepInFlight(
      step: step, stages: Set(0..<UInt32(pipeline.plan.stages.count)), advanced: milliseconds,
      hasOutput: request.order.kind == .measure)
    emit(.sendLatents(record.key, attempt: record.attempt, step: UInt32(step)))
  }

  mutating func take(_ report: StepReport, _ payload: Payload, _ fence: Fence, _ worker: Int) {
    guard let pipeline = pipeline(of: fence.sample), pipeline.stage(of: workers[worker].name) == fence.stage,
      let (job, sample) = place(of: fence.sample), jobs[job].samples[sample].attempt == fence.attempt,
      let inFlight = jobs[job].samples[sample].inFlight, inFlight.step == Int(fence.step),
      inFlight.stages.contains(fence.stage)
    else { return }
    let isFull = jobs[job].samples[sample].steps[inFlight.step].order.kind == .full
    if isFull {
      let blocks = pipeline.plan.stages[Int(fence.stage)].blocks
      let operations = blocks.reduce(0) { $0 + jobs[job].facts.blocks[$1].operations }
      workers[worker].speed.add(operations: operations, microseconds: report.microseconds)
    }
    jobs[job].samples[sample].inFlight?.stages.remove(fence.stage)
    jobs[job].samples[sample].inFlight?.signal = report.signal ?? inFlight.signal
    goesOn(job, sample)
    jobs[job].samples[sample].inFlight?.labels += report.labels
    jobs[job].samples[sample].inFlight?.labelBytes += payload.bytes
    let start = Int64(clamping: report.clockMicroseconds) - (workers[worker].clock.microseconds ?? 0)
    emit(
      .computed(
        StageSpan(
          worker: workers[worker].name, stage: fence.stage, sample: fence.sample, step: fence.step, isFull: isFull,
          start: start, microseconds: Int64(clamping: report.microseconds))))
    finishStep(job, sample)
  }

  mutating func take(outputOf key: SampleKey, attempt: UInt32, step: UInt32) {
    guard let (job, sample) = place(of: key), jobs[job].samples[sample].attempt == attempt,
      jobs[job].samples[sample].inFlight?.step == Int(step)
    else { return }
    jobs[job].samples[sample].inFlight?.hasOutput = true
    goesOn(job, sample)
    finishStep(job, sample)
  }

  /// Something of a step that was waited for is here.
  private mutating func goesOn(_ job: Int, _ sample: Int) {
    let time = milliseconds
    if let since = jobs[job].samples[sample].inFlight?.advanced { tensorPatience.goesOn(after: time - since) }
    jobs[job].samples[sample].inFlight?.advanced = time
  }

  private mutating func finishStep(_ job: Int, _ sample: Int) {
    let record = jobs[job].samples[sample]
    guard let inFlight = record.inFlight, inFlight.isDone else { return }
    jobs[job].samples[sample].inFlight = nil
    jobs[job].samples[sample].position += 1
    guard inFlight.step >= record.delivered else { return }
    jobs[job].samples[sample].delivered = inFlight.step + 1
    advance(job, inFlight.step + 1)
    clearNumericFailure(job, record.key, inFlight.step)
    emit(
      .stepDone(
        record.key, step: UInt32(inFlight.step), signal: inFlight.signal, inFlight.labels,
        labels: Payload(inFlight.labelBytes)))
  }
}
