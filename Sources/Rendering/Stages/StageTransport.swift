import FeatureCaching
import Tensors
import Transformers

/// How a denoiser reaches the stages, wherever they are.
public protocol StageTransport: Sendable {
  /// Announces a sample to all stages.
  ///
  /// - Throws: `SampleError` if the inputs do not fit the model.
  func open(_ setup: SampleSetup) async throws
  /// Sends latents through all stages, `[image tokens, channels]`. The steps of a sample come in their order.
  ///
  /// - Throws: ``StageError``, or `CancellationError`; the sample must then be closed.
  func step(_ context: StepContext, latents: Tensor, probe: Probe?) async throws -> StepResult
  /// The same step of several samples, in their order, as ``step(_:latents:probe:)`` does one.
  func step(_ contexts: [StepContext], latents: Tensor) async throws -> [StepResult]
  /// Has the first stage measure a step whose kind hangs on that; ``step(_:latents:probe:)`` with the same latents follows.
  ///
  /// - Parameter context: its kind and its clusters mean nothing yet.
  /// - Returns: the signal; nil if there is nothing to compare with.
  /// - Throws: as ``step(_:latents:probe:)``.
  func measure(_ context: StepContext, latents: Tensor) async throws -> Float?
  /// Frees what the stages hold of a sample.
  func close(_ id: SampleID) async
  /// The bytes that the caches of all samples hold.
  var cacheBytes: Int { get async }
}

extension StageTransport {
  /// All samples are on their way at once, so that several stages have work.
  public func step(_ contexts: [StepContext], latents: Tensor) async throws -> [StepResult] {
    try await contexts.mapConcurrently { try await step($0, latents: latents, probe: nil) }
  }
}

extension [StepContext] {
  /// What `body` gives for each, in their order; all run at once.
  func mapConcurrently<Value: Sendable>(
    _ body: @escaping @Sendable (StepContext) async throws -> Value
  ) async throws -> [Value] {
    guard count > 1 else {
      guard let first else { return [] }
      return [try await body(first)]
    }
    return try await withThrowingTaskGroup(of: (Int, Value).self) { group in
      for (place, context) in enumerated() { group.addTask { (place, try await body(context)) } }
      var values: [(Int, Value)] = []
      for try await value in group { values.append(value) }
      return values.sorted { $0.0 < $1.0 }.map(\.1)
    }
  }
}

/// Stages in this process, one after the other.
public struct LocalTransport: StageTransport {
  private let stages: [Stage]

  /// - Parameter stages: contiguous, from the first block to the last.
  public init(_ stages: [Stage]) {
    precondition(stages.first?.isFirst == true && stages.last?.isLast == true, "the stages do not cover the model")
    precondition(
      zip(stages, stages.dropFirst()).allSatisfy { $0.blocks.upperBound == $1.blocks.lowerBound },
      "the stages are not contiguous")
    self.stages = stages
  }

  public func open(_ setup: SampleSetup) async throws {
    for stage in stages { try await stage.open(setup) }
  }

  public func step(_ context: StepContext, latents: Tensor, probe: Probe?) async throws -> StepResult {
    var input = Stage.Input.latents(latents)
    var clusters: [TokenStream: TokenClusters] = [:]
    var signal: Float?
    for stage in stages {
      let result = try await stage.run(context, input, probe: probe)
      clusters.merge(result.clusters) { _, new in new }
      signal = result.signal ?? signal
      switch result.output {
      case .state(let state): input = .state(state)
      case .change(let change): input = .change(change, latents: latents)
      case .output(let output):
        try await sumForecasts(of: context.sample)
        return StepResult(output: output, clusters: clusters, signal: signal)
      }
    }
    preconditionFailure("the last stage gives the output")
  }

  public func step(_ contexts: [StepContext], latents: Tensor) async throws -> [StepResult] {
    var results = contexts.map { _ in StepResult(output: latents, clusters: [:]) }
    var inputs = contexts.map { _ in Stage.Input.latents(latents) }
    for stage in stages {
      let finished = try await stage.run(zip(contexts, inputs).map { (context: $0, input: $1) })
      for (place, finished) in finished.enumerated() {
        results[place].clusters.merge(finished.clusters) { _, new in new }
        results[place].signal = finished.signal ?? results[place].signal
        switch finished.output {
        case .state(let state): inputs[place] = .state(state)
        case .change(let change): inputs[place] = .change(change, latents: latents)
        case .output(let output): results[place].output = output
        }
      }
    }
    for context in contexts { try await sumForecasts(of: context.sample) }
    return results
  }

  /// What is known of cached steps passes through the stages before these do, as it does between processes. A single stage
  /// waits until the step begins, since it knows more then.
  private func sumForecasts(of sample: SampleID) async throws {
    guard stages.count > 1 else { return }
    var sums: [Tensor]?
    for stage in stages { sums = try await stage.sumForecasts(of: sample, from: sums) }
  }

  public func measure(_ context: StepContext, latents: Tensor) async throws -> Float? {
    try await stages.first?.measure(context, .latents(latents))
  }

  public func close(_ id: SampleID) async {
    for stage in stages { await stage.close(id) }
  }

  public var cacheBytes: Int {
    get async {
      var bytes = 0
      for stage in stages { bytes += await stage.cacheBytes }
      return bytes
    }
  }
}
