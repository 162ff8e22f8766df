import Messaging

/// Steps that a stage cannot do, and whose fault that is.
extension CoordinatorCore {
  /// A worker could not load its blocks, or not compute a step.
  mutating func take(_ failure: StageFailure, _ fence: Fence, _ worker: Int) {
    if failed(task: fence, failure, worker) { return }
    guard let pipeline = pipeline(of: workers[worker].name), pipeline.stage(of: workers[worker].name) == fence.stage
    else { return }
    if fence.job == 0 {
      if fence.attempt == pipeline.attempt { failed(toLoad: failure, of: pipeline, worker) }
      return
    }
    guard let (job, sample) = place(of: fence.sample), jobs[job].samples[sample].attempt == fence.attempt else {
      return
    }
    let name = workers[worker].name
    switch failure.reason {
    case .numeric: failedInNumbers(job, fence, failure, name)
    case .tensor: lost(tensorOf: fence.sample, attempt: fence.attempt, "the worker \(name) says: \(failure.text)")
    case .unexpected:
      emit(.note("Job \(jobs[job].id) is not gone on with at the worker \(name): \(failure.text)."))
      restart(job)
    // One sample of a job is of no use without the others.
    default:
      end(
        jobs[job].id, JobEnding(.failed, reason: failure.reason, text: "The worker \(name) says: \(failure.text)"))
    }
  }

  // MARK: - Numbers

  /// Numbers that are none come of weights and settings, and then the job has failed, or of one machine. So the job is
  /// done once more without that worker, if the others can.
  private mutating func failedInNumbers(_ job: Int, _ fence: Fence, _ failure: StageFailure, _ worker: String) {
    let (id, steps) = (jobs[job].id, jobs[job].samples.first { $0.key == fence.sample }?.steps ?? [])
    let step = steps.indices.contains(Int(fence.step)) ? Int(steps[Int(fence.step)].order.index) + 1 : 0
    let report = "at step \(step), block \(failure.block), the worker \(worker) says: \(failure.text)"
    if let first = jobs[job].numericFailure, !first.isCleared {
      let others = first.worker == worker ? "" : " So said the worker \(first.worker) at block \(first.block)."
      return end(id, JobEnding(.failed, reason: .numeric, text: "Twice the same: \(report).\(others)"))
    }
    jobs[job].numericFailure = NumericFailure(
      worker: worker, sample: fence.sample, order: Int(fence.step), block: failure.block)
    emit(.note("Job \(id) is done once more: \(report)."))
    restart(job)
  }

  /// The job has got past the step at which a worker's numbers were none: that was the worker.
  mutating func clearNumericFailure(_ job: Int, _ key: SampleKey, _ order: Int) {
    guard let failure = jobs[job].numericFailure, !failure.isCleared, failure.sample == key, order >= failure.order
    else {
      return
    }
    jobs[job].numericFailure?.isCleared = true
    emit(
      .note("The numbers of job \(jobs[job].id) are good without the worker \(failure.worker), which may be broken."))
    note(troubleWith: failure.worker, suspects: [])
  }

  /// Whether a job may be in a pipeline: not with the worker that its numbers were none with, if the others can do it.
  func suits(_ job: JobRecord, _ pipeline: Pipeline) -> Bool {
    guard let worker = job.suspectWorker, pipeline.stage(of: worker) != nil,
      case .success(let plans) = plans(for: job.facts, without: worker)
    else { return true }
    return plans.contains { $0.stages.contains { $0.worker == worker } }
  }

  // MARK: - Tensors

  /// Of a job; a link or a memory may damage some, and a program that is wrong damages all.
  private static let mostLostTensors = 3

  /// A tensor of a sample arrived damaged twice, or was another than it should be: what this attempt has is of no use.
  mutating func lost(tensorOf key: SampleKey, attempt: UInt32, _ reason: String) {
    guard let (job, sample) = place(of: key), jobs[job].samples[sample].attempt == attempt else { return }
    jobs[job].lostTensors += 1
    guard jobs[job].lostTensors <= Self.mostLostTensors else {
      return end(
        jobs[job].id, JobEnding(.failed, reason: .tensor, text: "Tensors get lost again and again: \(reason)."))
    }
    emit(.note("Job \(jobs[job].id) begins again: \(reason)."))
    restart(job)
  }
}

/// A step whose numbers were infinite or none.
struct NumericFailure: Sendable, Equatable {
  let worker: String
  let sample: SampleKey
  /// The order of the step.
  let order: Int
  let block: UInt32
  /// Another worker has done the step well.
  var isCleared = false
}
