import Messaging

/// Pipelines that were made by a coordinator that is gone, and the samples in them: who takes its place goes on with them where
/// they are, if all of their stages hold the same.
extension CoordinatorCore {
  /// So long workers get to connect again: they try every 0.6 seconds at least, but on a bad link it takes them longer.
  private static let connectingMilliseconds: Int64 = 2_500
  private static let leastConnectingMilliseconds: Int64 = 1_000
  /// Those that are there often are not the last.
  private static let followingMilliseconds: Int64 = 1_000
  /// So long after the last news of a sample that its stages hold differently it is waited for the rest of a step.
  private static let travellingMilliseconds: Int64 = 3_000
  /// So long jobs get to be prepared again, their prompts encoded, before what is held of them is let go of.
  private static let preparingMilliseconds: Int64 = 60_000

  /// Nothing is computed meanwhile, and a coordinator that is ended again and again must get on all the same: it waits for an
  /// eighth of the time from one start to the next, if that is more than a second.
  private static let shareOfLife: UInt64 = 8

  // MARK: - What workers tell

  /// Whether stages were at work when the process before this one ended; then workers are asked for nothing for a while.
  mutating func awaitHeld(microsecondsSinceLastStart: UInt64) {
    guard ledger.open.contains(where: { ledger.job($0).map { $0.attempts > 0 && !$0.isPaused } ?? false }) else {
      return
    }
    let share = Int64(min(microsecondsSinceLastStart / 1000 / Self.shareOfLife, 1 << 40))
    mostPatience = max(Self.leastConnectingMilliseconds, share)
    adoptionEnd = milliseconds + min(Self.connectingMilliseconds, mostPatience)
    needsReview = true
  }

  /// Until those are here that have been, as far as can be known: a pipeline of which only some stages are held lacks others.
  var isAwaitingHeld: Bool {
    guard milliseconds < adoptionEnd else { return false }
    return workers.isEmpty || milliseconds < max(lastJoined, lastHeld) + Self.followingMilliseconds
      || workers.contains { $0.held != nil && pipeline(of: $0.name) == nil }
  }

  mutating func take(_ stage: HeldStage, _ payload: Payload, _ fence: Fence, _ worker: Int) {
    guard stage.epoch < identity.epoch, fence.attempt > 0, fence.stage < stage.stages else { return }
    do {
      let samples = try HeldSamples(payload).samples
      workers[worker].hold(
        HeldRecord(
          pipeline: .init(epoch: stage.epoch, attempt: fence.attempt), number: fence.stage, stage: stage,
          samples: samples, changed: milliseconds))
      lastHeld = milliseconds
      (needsReview, needsAdmission) = (true, true)
    } catch {
      emit(.note("The worker \(workers[worker].name) tells nonsense about what it holds: \(error)."))
    }
  }

  // MARK: - Pipelines

  /// Those whose stages are all held, for a model that there are jobs for.
  mutating func adoptPipelines() {
    for first in workers.indices {
      guard let held = workers[first].held, held.number == 0, let facts = facts(for: held.stage),
        let stages = stages(like: held, facts)
      else { continue }
      let keys = Set(stages.flatMap { workers[$0].held?.samples.map(\.key) ?? [] })
      assign(plan(of: stages, facts), facts, held: (held.pipeline, keys.sorted()))
    }
  }

  private func facts(for stage: HeldStage) -> JobFacts? {
    jobs.first { job in
      job.facts.model.digest == stage.model && WirePrecision(job.facts.model.precision) == stage.precision
    }?.facts
  }

  /// The workers of a pipeline, in the order of its stages; nil if one is missing or must not be in it.
  private func stages(like first: HeldRecord, _ facts: JobFacts) -> [Int]? {
    var stages: [Int] = []
    var end: UInt32 = 0
    for number in 0..<first.stage.stages {
      guard
        let worker = workers.firstIndex(where: { worker in
          worker.held.map { $0.pipeline == first.pipeline && $0.number == number } ?? false
        }), let held = workers[worker].held?.stage, held.blocks.lowerBound == end, held.stages == first.stage.stages,
        held.model == first.stage.model, held.precision == first.stage.precision,
        !workers[worker].isDraining, !isSetAside(workers[worker].name),
        workers[worker].holds(held.model, now: milliseconds), pipeline(of: workers[worker].name) == nil
      else { return nil }
      end = held.blocks.upperBound
      stages.append(worker)
    }
    return Int(end) == facts.blocks.count ? stages : nil
  }

  private func plan(of stages: [Int], _ facts: JobFacts) -> StagePlan {
    StagePlan(
      stages: stages.map { worker in
        let blocks = workers[worker].held?.stage.blocks ?? 0..<1
        return StagePlan.Stage(
          capacity(workers[worker]), Int(blocks.lowerBound)..<Int(blocks.upperBound), facts.blocks,
          overhead: facts.overheadBytes)
      }, leftOut: [])
  }

  // MARK: - Samples

  /// Whether it waits for workers that may hold its samples, or for what becomes of those.
  func awaitsHeld(_ job: JobRecord) -> Bool {
    isHeld(job.id) || isAwaitingHeld && (ledger.job(job.id).map { $0.attempts > 0 } ?? false)
  }

  private func isHeld(_ job: UInt64) -> Bool { pipelines.contains { $0.held.contains { $0.job == job } } }

  /// What all stages of a pipeline hold of a sample; nil if it is not the same, or about to change.
  private func held(_ key: SampleKey, in pipeline: Pipeline) -> SampleOpening.Held? {
    var common: SampleOpening.Held?
    for stage in pipeline.plan.stages {
      guard let worker = index(of: stage.worker),
        let sample = workers[worker].held?.samples.first(where: { $0.key == key }),
        !sample.isBusy
      else { return nil }
      let held = SampleOpening.Held(attempt: sample.attempt, step: sample.step)
      guard common ?? held == held else { return nil }
      common = held
    }
    return common
  }

  /// The pipelines that hold all rows of a job and are ready to go on with them.
  func heldPlaces(of job: JobRecord) -> [UInt32]? {
    guard isHeld(job.id) else { return nil }
    var places: [UInt32] = []
    for row in 0..<UInt32(job.facts.rows) {
      let key = SampleKey(job: job.id, row: row)
      guard let pipeline = pipelines.first(where: { $0.held.contains(key) }), pipeline.isReady, !pipeline.handsOver,
        pipeline.model == job.facts.model, held(key, in: pipeline) != nil
      else { return nil }
      places.append(pipeline.attempt)
    }
    return places
  }

  /// Lets go of what is held for nothing.
  mutating func settleHeld() {
    for pipeline in pipelines {
      for key in pipeline.held where !isWorthWaitingFor(key, in: pipeline) { dropHeld(key, in: pipeline.attempt) }
    }
  }

  private func isWorthWaitingFor(_ key: SampleKey, in pipeline: Pipeline) -> Bool {
    // Of a pipeline whose jobs are to leave, others begin with what is on the disk.
    guard let known = ledger.job(key.job), known.ending == nil, !known.isPaused, begun.contains(key.job),
      !pipeline.handsOver
    else { return false }
    let age = milliseconds - pipeline.assigned
    guard let job = index(of: key.job).map({ jobs[$0] }) else { return age <= Self.preparingMilliseconds }
    guard job.facts.model == pipeline.model, isAlone(job, in: pipeline) else { return false }
    // One row goes on with the others only.
    let rows = (0..<UInt32(job.facts.rows)).map { SampleKey(job: job.id, row: $0) }
    let areAllHeld = rows.allSatisfy { row in
      place(of: row).map { jobs[$0.job].samples[$0.sample].state != .outside } ?? false
        || pipelines.contains { $0.held.contains(row) }
    }
    guard areAllHeld || isAwaitingHeld, !job.isAdmitted || job.place(ofRow: key.row) == pipeline.attempt else {
      return false
    }
    if held(key, in: pipeline) != nil { return age <= Self.preparingMilliseconds }
    // A step is under way from stage to stage, or one of them has missed something.
    let stages = pipeline.plan.stages.compactMap { index(of: $0.worker) }
    let changed = stages.compactMap { workers[$0].held?.changed }.max() ?? pipeline.assigned
    return milliseconds - max(changed, pipeline.assigned) <= min(Self.travellingMilliseconds, mostPatience)
      || stages.contains { workers[$0].isComputing } && age <= Self.preparingMilliseconds
  }

  /// One that workers were lost with again and again does not go on beside others.
  private func isAlone(_ job: JobRecord, in pipeline: Pipeline) -> Bool {
    let others = jobs.filter { $0.id != job.id && $0.places.contains(pipeline.attempt) }
    return others.isEmpty || !job.isSuspect && !others.contains(where: \.isSuspect)
  }

  mutating func dropHeld(_ key: SampleKey, in attempt: UInt32) {
    guard let pipeline = pipelines.firstIndex(where: { $0.attempt == attempt }) else { return }
    pipelines[pipeline].held.removeAll { $0 == key }
    for (stage, planned) in pipelines[pipeline].plan.stages.enumerated() {
      guard let worker = index(of: planned.worker),
        let sample = workers[worker].held?.samples.first(where: { $0.key == key })
      else { continue }
      let fence = Fence(job: key.job, row: key.row, attempt: sample.attempt, stage: UInt32(stage))
      post(.closeSample, fence: fence, to: worker)
    }
    (needsAdmission, needsReview) = (true, true)
    emit(.note("What workers hold of job \(key.job), row \(key.row) is let go of: it cannot be gone on with."))
  }

  // MARK: - Going on

  enum Continuation {
    /// Something is to come that it hangs on.
    case wait
    case with(SampleOpening.Held)
    case none
  }

  /// How the stages can go on with a sample that its denoiser has opened: all orders before the one that is next at them must
  /// have been answered, but for the last, which they answer again.
  func continuation(of record: SampleRecord, in pipeline: Pipeline) -> Continuation {
    guard let held = held(record.key, in: pipeline) else { return .wait }
    let next = Int(held.step)
    guard next >= record.start, record.delivered >= next - 1 else { return .none }
    return record.delivered >= next || record.steps.count >= next ? .with(held) : .wait
  }

  /// The stages go on with a sample where they are.
  mutating func goOn(_ job: Int, _ sample: Int, with held: SampleOpening.Held, in pipeline: Pipeline) {
    let record = jobs[job].samples[sample]
    let attempt = nextAttempt()
    let first = min(Int(held.step), record.delivered)
    let stages = Set(0..<UInt32(pipeline.plan.stages.count))
    var inFlight: StepInFlight?
    if first < Int(held.step) {
      inFlight = StepInFlight(
        step: first, stages: stages, advanced: milliseconds, hasOutput: record.steps[first].order.kind == .measure)
    }
    var opening = record.opening
    opening.held = held
    var openings: [SampleRecord.Opening] = []
    let time = milliseconds
    jobs[job].samples[sample].attempt = attempt
    jobs[job].samples[sample].position = first
    jobs[job].samples[sample].inFlight = inFlight
    jobs[job].samples[sample].isAdopted = true
    jobs[job].samples[sample].snapshotTime = time
    jobs[job].samples[sample].keptSince = time
    if inFlight != nil { emit(.expectOutput(record.key, attempt: attempt, step: UInt32(first))) }
    for (stage, planned) in pipeline.plan.stages.enumerated() {
      guard let worker = index(of: planned.worker) else { continue }
      let fence = Fence(
        job: record.key.job, row: record.key.row, attempt: attempt, stage: UInt32(stage), step: UInt32(first))
      let sequence = post(.openSample(opening), record.settings, fence: fence, to: worker)
      openings.append(.init(worker: planned.worker, sequence: sequence))
    }
    jobs[job].samples[sample].state = .opening(openings)
    if let place = pipelines.firstIndex(where: { $0.attempt == pipeline.attempt }) {
      pipelines[place].held.removeAll { $0 == record.key }
    }
    needsAdmission = true
    emit(
      .note("Job \(record.key.job), row \(record.key.row) is adopted: its stages go on with order \(held.step + 1)."))
  }
}

/// What a worker holds since before the coordinator was started.
struct HeldRecord: Sendable, Equatable {
  /// Under which the pipeline was made.
  let pipeline: Assignment.Held
  /// Of the stage.
  let number: UInt32
  let stage: HeldStage
  let samples: [HeldSamples.Sample]
  /// When it told so, in milliseconds.
  let changed: Int64
}
