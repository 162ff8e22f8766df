import Messaging

/// What stages keep of samples, kept a second time where the loss of a worker does not lose it. A snapshot is taken before a
/// full step, when little of the past counts, and while the stages are between two steps anyway; it travels while they
/// compute.
extension CoordinatorCore {
  // MARK: - Taking

  /// Before a full step: asks all stages for a snapshot, unless one is on its way.
  mutating func takeSnapshot(_ job: Int, _ sample: Int, before step: Int) {
    let record = jobs[job].samples[sample]
    guard let pipeline = pipeline(of: record.key), record.steps[step].order.kind == .full, step > record.start,
      record.coming == nil,
      !jobs[job].takesNoSnapshots, isRoom(forSnapshotOf: job, in: pipeline), isRoomHere(forSnapshotOf: job)
    else { return }
    for (stage, planned) in pipeline.plan.stages.enumerated() {
      guard let worker = index(of: planned.worker) else { continue }
      let fence = Fence(
        job: record.key.job, row: record.key.row, attempt: record.attempt, stage: UInt32(stage), step: UInt32(step))
      post(.takeSnapshot(SnapshotOrder(destination: identity.outputs)), fence: fence, to: worker)
    }
    let stages = Set(0..<UInt32(pipeline.plan.stages.count))
    let time = milliseconds
    jobs[job].samples[sample].coming = ComingSnapshot(step: step, asked: time, untold: stages, missing: stages)
    jobs[job].samples[sample].snapshotTime = time
  }

  /// Young's interval √(2 C M), where C is what a snapshot costs and M the mean time between failures (Communications of
  /// the ACM 17, 1974, p. 530): those that are taken for nothing and what a failure costs are in balance. C is the time until a
  /// snapshot has arrived, which is more than it costs, since stages compute meanwhile. A job that has lost a pipeline may
  /// well lose another.
  func isSnapshotDue(_ job: JobRecord, _ sample: SampleRecord) -> Bool {
    guard !job.facts.keepsNothing else { return false }
    if job.isEndangered { return true }
    let interval = (2 * snapshotMilliseconds * 1000 * identity.secondsBetweenFailures).squareRoot()
    return Double(milliseconds - sample.snapshotTime) >= interval
  }

  /// It is a copy, beside the caches of all jobs, until it has been sent.
  private func isRoom(forSnapshotOf job: Int, in pipeline: Pipeline) -> Bool {
    isRoom(forRowOf: jobs[job], beside: jobs, in: pipeline)
  }

  /// Whether it has room beside the others that are kept. It takes no more than the caches of a sample, which it is a part
  /// of, but for what rounds it up.
  private mutating func isRoomHere(forSnapshotOf job: Int) -> Bool {
    let samples = jobs.flatMap { job in job.samples.map { (job, $0) } }
    let others = samples.reduce(0) { sum, place in
      let (job, sample) = place
      return sum + (sample.snapshot?.manifest.byteCount ?? 0) + (sample.coming == nil ? 0 : job.snapshotBytes)
    }
    let bytes = others + jobs[job].snapshotBytes
    guard bytes > identity.snapshotBytes else { return true }
    refuseSnapshots(
      job, "with those of other jobs they would take \(bytes >> 20) MiB, and \(identity.snapshotBytes >> 20) may be")
    return false
  }

  private mutating func refuseSnapshots(_ job: Int, _ reason: String) {
    jobs[job].takesNoSnapshots = true
    emit(.note("There are no snapshots of job \(jobs[job].id): \(reason)."))
  }

  // MARK: - What arrives

  /// A stage tells what its snapshot consists of.
  mutating func take(snapshot payload: Payload, _ fence: Fence, _ worker: Int) {
    guard let pipeline = pipeline(of: fence.sample), pipeline.stage(of: workers[worker].name) == fence.stage,
      let (job, sample) = place(of: fence.sample),
      jobs[job].samples[sample].attempt == fence.attempt, let coming = jobs[job].samples[sample].coming,
      coming.step == Int(fence.step), coming.untold.contains(fence.stage)
    else { return }
    do {
      let manifest = try SnapshotManifest(payload)
      let blocks = pipeline.plan.stages[Int(fence.stage)].blocks
      guard manifest.blocks.allSatisfy({ blocks.contains($0.number) }),
        manifest.byteCount <= jobs[job].snapshotBytes
      else { throw WireError("the worker \(workers[worker].name) has sent what is none of its blocks \(blocks)") }
      jobs[job].samples[sample].coming?.untold.remove(fence.stage)
      jobs[job].samples[sample].coming?.manifest = coming.manifest.joined(with: manifest)
      emit(
        .expectSnapshot(fence.sample, attempt: fence.attempt, step: fence.step, stage: fence.stage, manifest))
    } catch {
      lost(snapshotOf: fence.sample, attempt: fence.attempt, "\(error)")
    }
  }

  mutating func take(snapshotOf key: SampleKey, attempt: UInt32, stage: UInt32) {
    guard let (job, sample) = place(of: key), jobs[job].samples[sample].attempt == attempt,
      var coming = jobs[job].samples[sample].coming
    else { return }
    coming.missing.remove(stage)
    guard coming.missing.isEmpty else {
      jobs[job].samples[sample].coming = coming
      return
    }
    jobs[job].samples[sample].coming = nil
    jobs[job].samples[sample].snapshot = Snapshot(step: coming.step, manifest: coming.manifest)
    jobs[job].samples[sample].keptSince = coming.asked
    snapshotMilliseconds = Double(max(1, milliseconds - coming.asked))
    emit(.keepSnapshot(key, step: UInt32(coming.step)))
  }

  /// The job goes on without; if its workers are lost, it begins again further back.
  mutating func lost(snapshotOf key: SampleKey, attempt: UInt32, _ reason: String) {
    guard let (job, sample) = place(of: key), jobs[job].samples[sample].attempt == attempt,
      jobs[job].samples[sample].coming != nil
    else { return }
    jobs[job].samples[sample].coming = nil
    emit(.dropSnapshot(key, attempt: attempt))
    refuseSnapshots(job, reason)
  }

  static let snapshotPatienceMilliseconds: Int64 = 120_000

  /// Nobody waits for ever for a snapshot that does not get through.
  mutating func watchSnapshots() {
    for job in jobs {
      for sample in job.samples {
        guard let coming = sample.coming, milliseconds - coming.asked > Self.snapshotPatienceMilliseconds else {
          continue
        }
        lost(
          snapshotOf: sample.key, attempt: sample.attempt,
          "that of step \(coming.step) has not arrived in \(Self.snapshotPatienceMilliseconds / 1000) seconds")
      }
    }
  }

  // MARK: - Handing over

  /// Jobs leave a pipeline one of whose workers is to go, when nothing has to be done again because of that.
  ///
  /// - Returns: whether some have.
  mutating func handOver() -> Bool {
    var haveSome = false
    for job in jobs.indices where isHandedOver(jobs[job]) {
      guard jobs[job].samples.allSatisfy({ mayLeave($0, of: jobs[job]) }) else { continue }
      let steps = jobs[job].samples.map(\.position).min() ?? 0
      emit(.note("Job \(jobs[job].id) is handed over to other workers, with \(steps) steps done."))
      leavePipelines(job)
      (needsReview, haveSome) = (true, true)
    }
    return haveSome
  }

  /// Whether a pipeline that a job is in hands it over as soon as nothing is lost by that.
  func isHandedOver(_ job: JobRecord) -> Bool { pipelines.contains { $0.handsOver && job.places.contains($0.attempt) } }

  /// Whether a sample loses nothing with its pipeline: the next one begins with the step that it is at.
  private func mayLeave(_ sample: SampleRecord, of job: JobRecord) -> Bool {
    guard sample.inFlight == nil, sample.position < sample.steps.count else { return false }
    return sample.state == .outside || job.facts.keepsNothing || sample.position == sample.start
      || sample.position == sample.snapshot?.step
  }

  /// Whether a sample does not begin a step, since it is to be handed over before that.
  mutating func waitsToBeHandedOver(_ job: Int, _ sample: Int, before step: Int) -> Bool {
    // The denoiser wants a step of all samples before the next of any.
    guard jobs[job].samples.allSatisfy({ $0.position <= step }) else { return false }
    if mayLeave(jobs[job].samples[sample], of: jobs[job]) { return true }
    takeSnapshot(job, sample, before: step)
    return jobs[job].samples[sample].coming?.step == step
  }

  /// To the stages of a sample that has just been opened.
  mutating func sendSnapshot(_ record: SampleRecord) {
    guard let snapshot = record.snapshot, let pipeline = pipeline(of: record.key) else { return }
    emit(
      .sendSnapshot(
        record.key, attempt: record.attempt, step: UInt32(snapshot.step), pipeline.plan.stages.map(\.blocks)))
  }
}
