import Files
import Messaging
import Rendering
import Tensors
import Transformers

/// Samples in the stage: their conditions and inputs as they arrive, and what the stage gives for them.
extension Worker {
  /// - Parameter step: the one that the sample begins with.
  func open(
    _ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ opening: SampleOpening, _ settings: Payload
  ) async {
    guard let stage, let tensors else { return }
    do {
      openings += 1
      let sample = try WorkerSample(
        key, number: openings, epoch: core.fence.epoch, attempt, opening, SampleSettings(settings))
      samples[key] = sample
      for plan in try sample.conditionPlans(stage) {
        try tensors.expect(sample.expectation(plan, step: 0, stage, from: configuration.security.coordinatorKey))
      }
      await expectInput(key, attempt, step)
      if opening.textTokens == 0 { await begin(sample, .label(sample.settings.classLabel), stage) }
    } catch {
      await apply(.failed(key, attempt: attempt, step: 0, StageFailure(.request, "\(error)")))
    }
  }

  /// Goes on with a sample for a coordinator that was started again.
  func resume(
    _ key: SampleKey, held: UInt32, _ attempt: UInt32, _ step: UInt32, isOutputWanted: Bool
  ) async {
    guard let stage, var sample = samples[key], sample.attempt == held else { return }
    forgetTensors(sample)
    snapshots[key] = nil
    sample.resume(epoch: core.fence.epoch, attempt)
    samples[key] = sample
    FaultPoint.reach("stage.resumed")
    await expectInput(key, attempt, step)
    guard isOutputWanted, let (last, tensor) = sample.lastOutput, last + 1 == step,
      let plan = TensorPlan(.output, .float32, shape: tensor.shape)
    else { return }
    var fence = sample.fence(step: last, stage)
    fence.stage += 1
    stage.line.send(plan, tensor.payload(), fence: fence)
  }

  /// Those that were to come of a sample, or are on their way.
  private func forgetTensors(_ sample: WorkerSample) {
    let (key, epoch, attempt) = (sample.key, sample.epoch, sample.attempt)
    let isOver: @Sendable (Fence) -> Bool = { $0.sample == key && ($0.epoch, $0.attempt) == (epoch, attempt) }
    tensors?.cancel(where: isOver)
    stage?.line.drop(where: isOver)
    resultLine?.line.drop(where: isOver)
  }

  /// The stage takes a sample whose condition is known, between two blocks of what it computes.
  func begin(_ sample: WorkerSample, _ condition: Condition, _ stage: LoadedStage) async {
    samples[sample.key]?.isOpen = true
    await apply(.conditionIsHere(sample.key, attempt: sample.attempt))
    let (setup, key, id, post) = (sample.setup(condition), sample.key, sample.id, post)
    stage.runner.add { stage in
      do {
        try stage.open(setup)
        post.yield(.opened(key, id, failure: nil))
      } catch {
        post.yield(.opened(key, id, failure: "\(error)"))
      }
    }
    restoreIfComplete(key, stage)
  }

  func expectInput(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32) async {
    guard let stage, let tensors, let sample = samples[key], sample.attempt == attempt else { return }
    do {
      let coordinator = configuration.security.coordinatorKey
      for expectation in try sample.inputExpectations(step, stage, coordinator: coordinator) {
        try tensors.expect(expectation)
      }
    } catch {
      await apply(.failed(key, attempt: attempt, step: step, StageFailure(.memory, "\(error)")))
    }
  }

  func take(_ arrival: TensorInbox.Arrival) async {
    if arrival.fence.epoch == core.fence.epoch, var task = tasks[arrival.fence.attempt] {
      guard let latents = Tensor(arrival) else { return }
      start(&task, arrival.fence.attempt, latents: latents)
      tasks[arrival.fence.attempt] = task
      return
    }
    let key = arrival.fence.sample
    guard let stage, var sample = samples[key],
      (sample.epoch, sample.attempt) == (arrival.fence.epoch, arrival.fence.attempt), let tensor = Tensor(arrival)
    else { return }
    switch arrival.plan.stream {
    case .prompt, .pooled:
      sample.keepCondition(arrival.plan.stream, tensor)
      samples[key] = sample
      if let condition = sample.condition { await begin(sample, condition, stage) }
    case .state:
      sample.keepState(Int(arrival.fence.stage), tensor)
      samples[key] = sample
      restoreIfComplete(key, stage)
    case .forecasts:
      sample.keepForecasts(arrival.fence.step, tensor)
      samples[key] = sample
      if let outcome = unreported[key] { sumForecasts(outcome, stage) }
    default:
      sample.keepInput(arrival.plan.stream, tensor)
      samples[key] = sample
      if sample.hasInput(arrival.fence.step, stage) {
        await apply(.inputArrived(key, attempt: sample.attempt, step: arrival.fence.step))
      }
    }
  }

  func compute(
    _ key: SampleKey, _ attempt: UInt32, _ step: UInt32, _ order: StepOrder, _ labels: Payload
  ) async {
    guard let stage, var sample = samples[key], sample.attempt == attempt else { return }
    do {
      let task = try sample.task(step, order, labels, stage)
      samples[key] = sample
      FaultPoint.reach("stage.step", of: sample.opening.seed)
      stage.runner.add(task, hasOtherRow: hasOtherRow(key, stage))
    } catch {
      await apply(.failed(key, attempt: attempt, step: step, StageFailure(.request, "\(error)")))
    }
  }

  /// Whether another row of the picture takes its steps here too. Where more stages follow it is not waited for: they would
  /// stand still meanwhile.
  private func hasOtherRow(_ key: SampleKey, _ stage: LoadedStage) -> Bool {
    stage.assignment.stages == 1 && samples.keys.contains { $0.job == key.job && $0.row != key.row }
  }

  /// Hands on what a step gave, then reports it.
  func finish(_ outcome: StageOutcome) async {
    let (key, step) = (outcome.task.key, outcome.task.step)
    cacheBytes = outcome.cacheBytes
    guard let stage, let sample = samples[key], sample.id == outcome.task.context.sample else { return }
    let attempt = sample.attempt
    switch outcome.result {
    case .success(let output):
      // A measurement hands on nothing.
      for (stream, tensor) in output?.tensors ?? [] {
        guard let plan = TensorPlan(stream, .float32, shape: tensor.shape) else { continue }
        var fence = sample.fence(step: step, stage)
        fence.stage += 1
        stage.line.send(plan, tensor.payload(), fence: fence)
        if stream == .output { samples[key]?.keepOutput(step, tensor) }
      }
      guard sample.cutSteps(behind: step, stage).isEmpty else {
        unreported[key] = outcome
        return sumForecasts(outcome, stage)
      }
      await report(outcome)
    case .failure(let error):
      let notANumber = error as? NotANumber
      let block = UInt32(notANumber?.block ?? stage.runner.stage.blocks.lowerBound)
      let failure = StageFailure(notANumber == nil ? .internal : .numeric, "\(error)", block: block)
      await apply(.failed(key, attempt: attempt, step: step, failure))
    }
  }

  private func report(_ outcome: StageOutcome) async {
    guard let sample = samples[outcome.task.key], sample.id == outcome.task.context.sample else { return }
    let report = StepReport(
      microseconds: UInt64(outcome.microseconds), clockMicroseconds: UInt64(outcome.startMicroseconds),
      signal: outcome.signal, labels: outcome.clusters.labels)
    await apply(
      .computed(
        outcome.task.key, attempt: sample.attempt, step: outcome.task.step, report, labels: outcome.clusters.payload))
  }

  // MARK: - Forecasts

  /// What is known of the cached steps behind a full one goes through the stages while those behind compute it, and is there
  /// before the full step is said to be done.
  private func sumForecasts(_ outcome: StageOutcome, _ stage: LoadedStage) {
    guard let sample = samples[outcome.task.key], sample.id == outcome.task.context.sample else { return }
    let start = stage.number == 0 ? nil : sample.forecasts(behind: outcome.task.step, stage)
    guard stage.number == 0 || start != nil else { return }
    unreported[sample.key] = nil
    samples[sample.key]?.forgetForecasts()
    let (id, post) = (sample.id, post)
    stage.runner.add { stage in post.yield(.summed(outcome, Result { try stage.sumForecasts(of: id, from: start) })) }
  }

  /// Hands on what forecasts add up to, then reports the full step.
  func finish(_ outcome: StageOutcome, _ sums: Result<[Tensor], any Error>) async {
    let (key, step) = (outcome.task.key, outcome.task.step)
    guard let stage, let sample = samples[key], sample.id == outcome.task.context.sample else { return }
    switch sums {
    case .success(let sums):
      for (cut, sum) in zip(sample.cutSteps(behind: step, stage), sums) where !stage.isLast {
        guard let plan = TensorPlan(.forecasts, .float32, shape: sum.shape) else { continue }
        var fence = sample.fence(step: UInt32(cut), stage)
        fence.stage += 1
        stage.line.send(plan, sum.payload(), fence: fence)
      }
      await report(outcome)
    case .failure(let error):
      await apply(.failed(key, attempt: sample.attempt, step: step, StageFailure(.internal, "\(error)")))
    }
  }

  func fail(_ fence: Fence, _ failure: StageFailure) async {
    if fence.epoch == core.fence.epoch, let task = tasks.removeValue(forKey: fence.attempt) {
      return await apply(.taskFailed(job: task.job, attempt: fence.attempt, failure))
    }
    guard let sample = samples[fence.sample], (sample.epoch, sample.attempt) == (fence.epoch, fence.attempt) else {
      return
    }
    await apply(.failed(fence.sample, attempt: fence.attempt, step: fence.step, failure))
  }

  func close(_ key: SampleKey, _ attempt: UInt32) async {
    guard let sample = samples[key], sample.attempt == attempt else { return }
    samples[key] = nil
    snapshots[key] = nil
    unreported[key] = nil
    forgetTensors(sample)
    guard let runner = stage?.runner else { return }
    runner.drop(key, sample.id)
    runner.add { $0.close(sample.id) }
  }
}
