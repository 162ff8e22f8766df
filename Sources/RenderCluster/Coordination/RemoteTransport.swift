import FeatureCaching
import Messaging
import Rendering
import Tensors
import Transformers

/// Stages in other processes, for the samples of one job.
public struct RemoteTransport: StageTransport {
  let coordinator: Coordinator
  /// The coordinator's number of the job.
  public let job: UInt64
  let cache: CacheSettings
  let seed: UInt64
  let steps: Int

  private func key(_ id: SampleID) -> SampleKey { SampleKey(job: job, row: UInt32(id.row)) }

  public func open(_ setup: SampleSetup) async throws {
    let grid = setup.inputs.grid
    var textTokens = 0
    var (label, validTokens): (Int?, Int?) = (nil, nil)
    switch setup.inputs.condition {
    case .text(let text, _, let valid): (textTokens, validTokens) = (text.rows, valid)
    case .label(let number): label = number
    }
    let opening = SampleOpening(
      guidance: setup.inputs.guidance ?? -1, frames: UInt32(grid.frames), rows: UInt32(grid.rows),
      columns: UInt32(grid.columns), seed: seed, steps: UInt32(steps), textTokens: UInt32(textTokens))
    try await coordinator.open(
      key(setup.id), setup, opening,
      SampleSettings(
        cache: cache, classLabel: label, validTokens: validTokens, timesteps: setup.timesteps))
  }

  public func step(_ context: StepContext, latents: Tensor, probe: Probe?) async throws -> StepResult {
    let answer = try await coordinator.step(key(context.sample), context, latents)
    guard let output = answer.output else { throw StageError.unknownSample(context.sample) }
    return StepResult(output: output, clusters: answer.clusters, signal: answer.signal)
  }

  public func measure(_ context: StepContext, latents: Tensor) async throws -> Float? {
    try await coordinator.step(key(context.sample), context, latents, isMeasurement: true).signal
  }

  public func close(_ id: SampleID) async { await coordinator.close(key(id)) }

  public var cacheBytes: Int {
    get async { await coordinator.status.workers.reduce(0) { $0 + $1.cacheBytes } }
  }
}
