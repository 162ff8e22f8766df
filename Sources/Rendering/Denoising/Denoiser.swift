import FeatureCaching
import Tensors
import Transformers

/// What is denoised: one picture or video, with or without a second, unconditional sample to be guided away from.
public struct DenoisingTask: Sendable {
  /// Tells apart tasks that share stages.
  public var job: Int
  /// The noise to begin with, `[image tokens, channels]`.
  public var latents: Tensor
  /// The noise levels; its steps are those of the task.
  public var schedule: any DenoisingSchedule
  /// What the scheduler adds between the steps, if it adds any.
  public var noise: SamplerNoise?
  public var inputs: SampleInputs
  /// What to stay away from.
  public var guidance: Guidance?
  public var policy: any FeatureCachePolicy
  /// Gives the random choices of a row.
  public var choices: @Sendable (_ row: UInt16) -> any TokenChoices

  public init(
    job: Int, latents: Tensor, schedule: any DenoisingSchedule, noise: SamplerNoise? = nil, inputs: SampleInputs,
    guidance: Guidance? = nil, policy: any FeatureCachePolicy,
    choices: @escaping @Sendable (_ row: UInt16) -> any TokenChoices
  ) {
    self.job = job
    self.latents = latents
    self.schedule = schedule
    self.noise = noise
    self.inputs = inputs
    self.guidance = guidance
    self.policy = policy
    self.choices = choices
  }
}

/// A step that is done.
public struct DenoisedStep: Sendable {
  /// From 0.
  public var index: Int
  public var kind: StepKind
  /// 0...1000, falling from step to step.
  public var timestep: Float
  /// The model's output for the prompt, `[image tokens, channels]`.
  public var output: Tensor
  /// The output after guidance, which the scheduler followed.
  public var guided: Tensor
  /// After the step, `[image tokens, channels]`.
  public var latents: Tensor
  /// The picture as the model sees it at this step, before the step was made.
  public var denoised: Tensor
  /// The time that the step took, over all of its samples.
  public var duration: Duration
}

/// The steps of a task as a sequence: each is computed when it is asked for, so that it can be watched and stopped.
///
/// The samples are opened at the first step and closed behind the last, or when a step throws: `CancellationError` if
/// the task is cancelled, ``StageError``, or `SampleError` if the inputs do not fit the model.
public struct Denoiser: AsyncSequence, Sendable {
  public typealias Element = DenoisedStep

  private let task: DenoisingTask
  private let transport: any StageTransport
  private let probe: (@Sendable (_ step: Int, _ row: UInt16) -> Probe?)?

  /// - Parameter probe: gives what sees inside a step of a row; nothing unless given.
  public init(
    _ task: DenoisingTask, over transport: any StageTransport,
    probe: (@Sendable (_ step: Int, _ row: UInt16) -> Probe?)? = nil
  ) {
    self.task = task
    self.transport = transport
    self.probe = probe
  }

  public func makeAsyncIterator() -> Iterator { Iterator(task: task, transport: transport, probe: probe) }

  public struct Iterator: AsyncIteratorProtocol {
    private let task: DenoisingTask
    private let transport: any StageTransport
    private let probe: (@Sendable (_ step: Int, _ row: UInt16) -> Probe?)?
    private var latents: Tensor
    private var run: any DenoisingRun
    private var next = 0
    private var isOpen = false
    /// The clusters of each row, from the last full step on.
    private var clusters: [UInt16: [TokenStream: TokenClusters]] = [:]
    /// Decides the kinds of the steps, for all rows and all stages.
    private var schedule: any StepSchedule
    /// Of the outputs of each row, for policies that forecast these.
    private var forecasts: [OutputForecast]

    fileprivate init(
      task: DenoisingTask, transport: any StageTransport,
      probe: (@Sendable (_ step: Int, _ row: UInt16) -> Probe?)?
    ) {
      self.task = task
      self.transport = transport
      self.probe = probe
      latents = task.latents
      schedule = task.policy.schedule(steps: task.schedule.steps)
      let rows = task.guidance == nil ? 1 : 2
      forecasts = task.policy.makeOutputForecast().map { Array(repeating: $0, count: rows) } ?? []
      run = task.schedule.start(noise: task.noise)
    }

    private var rows: [UInt16] { task.guidance == nil ? [0] : [0, 1] }

    public mutating func next() async throws -> DenoisedStep? {
      do {
        guard next < task.schedule.steps else {
          await close()
          return nil
        }
        if !isOpen { try await open() }
        let step = try await step(next)
        next += 1
        return step
      } catch {
        await close()
        throw error
      }
    }

    private mutating func open() async throws {
      isOpen = true
      for row in rows {
        let inputs = row == 0 ? task.inputs : task.guidance?.inputs ?? task.inputs
        try await transport.open(
          SampleSetup(
            id: SampleID(job: task.job, row: row), inputs: inputs,
            timesteps: (0..<task.schedule.steps).map(task.schedule.timestep),
            policy: task.policy, choices: task.choices(row), isObserved: probe != nil))
      }
    }

    private mutating func close() async {
      guard isOpen else { return }
      isOpen = false
      for row in rows { await transport.close(SampleID(job: task.job, row: row)) }
    }

    private mutating func step(_ index: Int) async throws -> DenoisedStep {
      let start = ContinuousClock.now
      let timestep = task.schedule.timestep(index)
      let signal = schedule.needsSignal ? try await measure(index, timestep) : nil
      let kind = schedule.next(signal: signal)
      let outputs: [Tensor]
      if case .cached(let distance) = kind, !forecasts.isEmpty {
        outputs = forecasts.map { $0.forecast(distance: distance) }
      } else {
        outputs = try await stageOutputs(index, kind, timestep)
      }
      let guided = task.guidance.map { $0.guide(outputs[0], awayFrom: outputs[1]) } ?? outputs[0]
      let denoised = run.advance(&latents, predicted: guided)
      return DenoisedStep(
        index: index, kind: kind, timestep: timestep, output: outputs[0], guided: guided, latents: latents,
        denoised: denoised, duration: start.duration(to: .now))
    }

    /// The model's output for each row, and what else a step brings is kept.
    private mutating func stageOutputs(_ index: Int, _ kind: StepKind, _ timestep: Float) async throws -> [Tensor] {
      let (latents, transport, probe) = (latents, transport, probe)
      let contexts = contexts(index, kind, timestep)
      let results: [StepResult]
      if let probe {
        results = try await contexts.mapConcurrently { context in
          try await transport.step(context, latents: latents, probe: probe(index, context.sample.row))
        }
      } else {
        results = try await transport.step(contexts, latents: latents)
      }
      schedule.finish(signal: Self.mean(results.map(\.signal)))
      let outputs = results.map(\.output)
      guard kind.isFull else { return outputs }
      for (row, result) in zip(rows, results) { clusters[row] = result.clusters }
      for row in forecasts.indices { forecasts[row].keep(outputs[row], step: index) }
      return outputs
    }

    /// How far a step is from those before, over all rows.
    private func measure(_ index: Int, _ timestep: Float) async throws -> Float? {
      let (latents, transport) = (latents, transport)
      // What it will be is not known; a full step asks for no clusters.
      return Self.mean(
        try await contexts(index, .full, timestep).mapConcurrently { try await transport.measure($0, latents: latents) }
      )
    }

    /// Nil if one is missing.
    private static func mean(_ signals: [Float?]) -> Float? {
      let known = signals.compactMap { $0 }
      guard known.count == signals.count, !known.isEmpty else { return nil }
      return Float(known.reduce(0.0) { $0 + Double($1) } / Double(known.count))
    }

    /// A step of each row.
    private func contexts(_ index: Int, _ kind: StepKind, _ timestep: Float) -> [StepContext] {
      rows.map { row in
        StepContext(
          sample: SampleID(job: task.job, row: row), index: index, kind: kind, timestep: timestep,
          clusters: kind.isFull ? [:] : clusters[row] ?? [:])
      }
    }
  }
}
