import FeatureCaching
import Files
import Messaging
import Rendering
import Tensors
import Transformers

/// The numbers of samples: what their denoisers give to the stages and get from them.
extension Coordinator {
  func open(_ key: SampleKey, _ setup: SampleSetup, _ opening: SampleOpening, _ settings: SampleSettings) async throws {
    if let failure = failure(of: key.job) { throw failure }
    var sample = RemoteSample(condition: setup.inputs.condition, cutChain: setup.policy.cutChain)
    var settings = settings
    settings.request = requestDigest(key, opening, settings.payload, setup.inputs.condition)
    sample.request = settings.request
    let point = await resumePoint(of: key, sample.request)
    sample.resume(from: point)
    await openAnswers(of: key, &sample)
    if let failure = failure(of: key.job) { throw failure }
    samples[key] = sample
    let snapshot = point.map { Snapshot(step: Int($0.step), manifest: $0.manifest) }
    post(.opened(key, opening, settings: settings.payload, snapshot, answers: sample.answers.count))
  }

  /// What the stages give for a step.
  struct Answer: Sendable {
    /// Nil for a measurement.
    var output: Tensor?
    var clusters: [TokenStream: TokenClusters]
    var signal: Float?
  }

  /// - Parameter isMeasurement: whether the first stage shall only measure the step.
  func step(
    _ key: SampleKey, _ context: StepContext, _ latents: Tensor, isMeasurement: Bool = false
  ) async throws -> Answer {
    if let failure = failure(of: key.job) { throw failure }
    guard samples[key] != nil else { throw StageError.unknownSample(context.sample) }
    let clusters = WireClusters.pack(context.clusters)
    let kind: StepOrder.Kind =
      switch context.kind {
      case .full: isMeasurement ? .measure : .full
      case .cached(let steps): .cached(distance: UInt32(steps))
      }
    let order = StepOrder(
      kind, index: UInt32(context.index), timestep: context.timestep, labels: clusters.labels)
    let request = StepRequest(order: order, labels: clusters.payload)
    let input = RemoteSample.Input(latents: latents, isMeasurement: isMeasurement)
    if let answer = samples[key]?.answerOfBefore(input) {
      post(.wanted(key, request))
      return answer
    }
    return try await withTaskCancellationHandler {
      try await withCheckedThrowingContinuation { continuation in
        guard !Task.isCancelled else { return continuation.resume(throwing: CancellationError()) }
        samples[key]?.inputs.append(input)
        samples[key]?.waiting = continuation
        post(.wanted(key, request))
      }
    } onCancel: {
      Task { await fail(key, CancellationError()) }
    }
  }

  func close(_ key: SampleKey) {
    guard let sample = samples.removeValue(forKey: key) else { return }
    sample.waiting?.resume(throwing: CancellationError())
    post(.closed(key))
  }

  func fail(_ key: SampleKey, _ error: any Error) {
    let waiting = samples[key]?.waiting
    samples[key]?.waiting = nil
    waiting?.resume(throwing: error)
  }

  // MARK: - Tensors

  private func fence(_ key: SampleKey, _ attempt: UInt32, stage: Int, step: UInt32) -> Fence {
    Fence(
      epoch: epoch, job: key.job, row: key.row, attempt: attempt, stage: UInt32(stage), step: step)
  }

  func sendCondition(_ key: SampleKey, _ attempt: UInt32) {
    guard case .text(let text, let pooled, _)? = samples[key]?.condition else { return }
    for (stream, tensor) in [(WireStream.prompt, text), (.pooled, pooled)] {
      guard let plan = TensorPlan(stream, .float32, shape: tensor.shape) else { continue }
      let payload = tensor.payload()
      for (stage, line) in lines(of: key).enumerated() {
        line.send(plan, payload, fence: fence(key, attempt, stage: stage, step: 0))
      }
    }
  }

  func sendLatents(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32) {
    let lines = lines(of: key)
    guard let sample = samples[key], let first = lines.first, let input = sample.input(of: step) else { return }
    guard let plan = TensorPlan(.latents, .float32, shape: input.latents.shape) else {
      return fail(key, JobError(.tensor, "Latents of shape \(input.latents.shape) do not travel."))
    }
    expectOutput(key, attempt, step)
    let payload = input.latents.payload()
    first.send(plan, payload, fence: fence(key, attempt, stage: 0, step: step))
    // Where no hidden states pass between the stages, each makes its own of the latents.
    guard sample.cutChain?.isCut(Int(step)) ?? false else { return }
    FaultPoint.reach("latents.first.sent")
    for (stage, line) in lines.enumerated().dropFirst() {
      line.send(plan, payload, fence: fence(key, attempt, stage: stage, step: step))
    }
  }

  /// The answer to an order is to come from now on.
  func expectOutput(_ key: SampleKey, _ attempt: UInt32, _ step: UInt32) {
    guard let input = samples[key]?.input(of: step) else { return }
    samples[key]?.awaited = RemoteSample.Place(attempt: attempt, step: step)
    samples[key]?.output = nil
    // The model's output has the shape of its latents.
    guard !input.isMeasurement, let plan = TensorPlan(.output, .float32, shape: input.latents.shape) else { return }
    do {
      let expected = fence(key, attempt, stage: stageCount(of: key), step: step)
      try outputs.expect(.init(plan, fence: expected, sender: lastStageKey(of: key)))
    } catch {
      fail(key, JobError(.memory, "The outputs of all steps in flight are too large: \(error)."))
    }
  }

  func finishStep(
    _ key: SampleKey, _ step: UInt32, _ signal: Float?, _ labels: [LabelledStream], _ payload: Payload
  ) {
    guard let sample = samples[key], let waiting = sample.waiting, let input = sample.input(of: step),
      sample.awaited?.step == step, sample.output != nil || input.isMeasurement
    else { return }
    samples[key]?.output = nil
    samples[key]?.waiting = nil
    do {
      let answer = Answer(
        output: sample.output, clusters: try WireClusters.unpack(labels, payload), signal: signal)
      guard isRemembered(key) else { return waiting.resume(returning: answer) }
      samples[key]?.answers.append(answer)
      guard let file = sample.file else { return waiting.resume(returning: answer) }
      // The next order is not given before: stages answer the last one again, but none before it.
      file.append(answer) { [note = configuration.note] error in
        if let error { note("What steps of job \(key.job), row \(key.row) give cannot be written: \(error).") }
        waiting.resume(returning: answer)
      }
    } catch {
      waiting.resume(throwing: JobError(.malformed, "The labels of step \(step + 1) make no sense: \(error)."))
    }
  }
}

/// A sample as the runtime knows it: its numbers.
struct RemoteSample {
  /// What an order begins with.
  struct Input {
    let latents: Tensor
    let isMeasurement: Bool
  }

  /// Which order of which attempt is in hand.
  struct Place: Equatable {
    let attempt: UInt32
    let step: UInt32
  }

  let condition: Condition
  let cutChain: CutChain?
  /// Of all that its numbers follow from; nil for a job that is not remembered.
  var request: SHA256.Digest?
  /// By order, so that another pipeline can do them again; those before a snapshot are not needed any more.
  var inputs: [Input?] = []
  var awaited: Place?
  /// Of the order in hand.
  var output: Tensor?
  /// The denoiser that waits for the step in hand.
  var waiting: CheckedContinuation<Coordinator.Answer, any Error>?
  /// What orders gave, those of a process before this one among them; only of a job that is remembered.
  var answers: [Coordinator.Answer] = []
  /// Where they are on the disk.
  var file: AnswerFile?
  /// The last snapshot, and the next one as far as it is here.
  var snapshot: KeptSnapshot?
  var coming: KeptSnapshot?
  /// A snapshot could not be written, which was said.
  var isUnwritten = false

  func input(of step: UInt32) -> Input? { inputs.indices.contains(Int(step)) ? inputs[Int(step)] : nil }

  mutating func resume(from point: ResumePoint?) {
    guard let point else { return }
    answers = point.answers
    snapshot = KeptSnapshot(attempt: 0, step: point.step, point.manifest, point.tensors)
  }

  /// The answer to the next order, if a process before this one has given it.
  mutating func answerOfBefore(_ input: Input) -> Coordinator.Answer? {
    guard inputs.count < answers.count else { return nil }
    // Stages that begin with the snapshot have to do the orders behind it again.
    inputs.append(inputs.count < Int(snapshot?.step ?? 0) ? nil : input)
    return answers[inputs.count - 1]
  }
}
