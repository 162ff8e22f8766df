import Messaging

/// Stages that answer and do not compute.
extension CoordinatorCore {
  private static let leastMilliseconds = TensorPatience.least
  /// So many times as long as a stage's step should take, it may take.
  private static let patience = 8.0
  private static let leastLoadingMilliseconds: Int64 = 120_000
  /// Weights are loaded faster than this.
  private static let leastLoadedBytesPerMillisecond = 5_000

  /// Gives up stages in which nothing goes on although something should.
  mutating func watchProgress() {
    for pipeline in pipelines { loseThoseThatLoadForever(pipeline) }
    for job in jobs {
      for sample in job.samples {
        guard let step = sample.inFlight, let pipeline = pipeline(of: sample.key) else { continue }
        watch(job, step, pipeline, step.stages.min() ?? UInt32(pipeline.lastStage))
      }
    }
  }

  /// Time in which the coordinator itself stood still is held against nobody.
  mutating func forgive(_ microseconds: Int64) {
    let gap = microseconds / 1000
    for index in pipelines.indices { pipelines[index].assigned += gap }
    for worker in workers.indices { workers[worker].forgive(gap) }
    for job in jobs.indices {
      for sample in jobs[job].samples.indices { jobs[job].samples[sample].inFlight?.advanced += gap }
    }
  }

  private mutating func loseThoseThatLoadForever(_ pipeline: Pipeline) {
    let age = milliseconds - pipeline.assigned
    // All at once: each pipeline that waits for one of them takes its time.
    for number in pipeline.loading.sorted() {
      let stage = pipeline.plan.stages[Int(number)]
      let limit = Self.leastLoadingMilliseconds + Int64(stage.weightBytes / Self.leastLoadedBytesPerMillisecond)
      guard age > limit, let worker = index(of: stage.worker) else { continue }
      loseHung(worker, "it has been loading its blocks for \(age / 1000) seconds")
    }
  }

  /// Gives a pipeline up if a stage of it does nothing about a step.
  private mutating func watch(_ job: JobRecord, _ step: StepInFlight, _ pipeline: Pipeline, _ number: UInt32) {
    let stage = pipeline.plan.stages[Int(number)]
    guard let worker = index(of: stage.worker) else { return }
    let limit = deadline(job.facts, stage, workers[worker])
    let waited = milliseconds - step.advanced
    guard waited > limit else { return }
    let idle = milliseconds - workers[worker].progressed
    if workers[worker].isComputing {
      // Other samples may be before this one.
      guard idle > limit else { return }
      loseHung(worker, "it has computed nothing for \(idle / 1000) seconds")
    } else {
      // What it is to compute, or what it has computed, does not arrive.
      guard waited > tensorPatience.milliseconds else { return }
      tensorPatience.ranOut()
      let previous = number > 0 && !step.stages.isEmpty ? pipeline.plan.stages[Int(number) - 1].worker : nil
      for name in [stage.worker, previous].compactMap({ $0 }) {
        note(troubleWith: name, suspects: [])
      }
      emit(.note("Stage \(number) at the worker \(stage.worker) waits: tensors do not get through."))
      breakPipeline(pipeline.attempt)
    }
  }

  private func deadline(_ facts: JobFacts, _ stage: StagePlan.Stage, _ worker: WorkerRecord) -> Int64 {
    let operations = stage.blocks.reduce(0) { $0 + facts.blocks[$1].operations }
    let seconds = max(stage.seconds, Double(operations) / worker.speed.operationsPerSecond)
    return max(Self.leastMilliseconds, Int64(min(seconds * Self.patience, 1e9) * 1000))
  }

  /// The process is of no use any more: it is told to go, so that another one takes its place.
  private mutating func loseHung(_ worker: Int, _ reason: String) {
    let peer = workers[worker].peer
    histories[history(of: peer.name)].hungIncarnation = peer.incarnation
    lose(worker, reason)
    turnAway(peer)
  }
}

/// How long nothing may arrive for a step before its pipeline is given up, if it cannot be told that somebody is at fault.
///
/// A new pipeline has to connect anew, and has lost what the old one had on its way. So on links that lose most of what is
/// sent, a fixed time could be too short for each of them: the next one gets twice as long, until jobs get done.
struct TensorPatience: Sendable, Equatable {
  static let least: Int64 = 10_000
  private static let most: Int64 = 80_000
  /// How fast it is forgotten that steps were slow.
  private static let remembered: Int64 = 16

  private var granted = least
  private var slowest: Int64 = 0

  var milliseconds: Int64 { max(granted, min(2 * slowest, Self.most)) }

  /// A pipeline is given up.
  mutating func ranOut() { granted = min(2 * granted, Self.most) }

  /// A step has waited for so long, and goes on.
  mutating func goesOn(after waited: Int64) { slowest = max(waited, slowest - slowest / Self.remembered) }

  mutating func jobIsDone() { granted = max(Self.least, granted / 2) }
}
