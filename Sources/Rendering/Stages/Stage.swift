import FeatureCaching
import Tensors
import Transformers

/// Runs a range of a model's blocks for many samples, and owns their feature caches.
public actor Stage {
  private let model: any DiffusionTransformer
  private let thread = StageThread()
  private var samples: [SampleID: Running] = [:]

  private struct Running {
    let sample: any TransformerSample
    let cache: any FeatureCache
  }

  public init(_ model: any DiffusionTransformer) { self.model = model }

  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  public nonisolated var blocks: BlockRange { model.blocks }
  public nonisolated var isFirst: Bool { model.blocks.lowerBound == 0 }
  public nonisolated var isLast: Bool { model.blocks.upperBound == model.blockCount }

  /// Prepares a sample and makes an empty cache for it.
  ///
  /// - Throws: `SampleError` if the inputs do not fit the model.
  public func open(_ setup: SampleSetup) throws {
    samples[setup.id] = Running(
      sample: try model.makeSample(setup.inputs), cache: setup.policy.makeCache(choices: setup.choices))
  }

  /// Frees what is held of a sample; nothing happens if there is none of this name.
  public func close(_ id: SampleID) { samples[id] = nil }

  /// The bytes that the caches of all samples hold.
  public var cacheBytes: Int { samples.values.reduce(0) { $0 + $1.cache.byteCount } }

  public enum Input: Sendable {
    /// `[image tokens, channels]`, for the first stage.
    case latents(Tensor)
    /// What the stage before hands over, `[tokens, width]` a stream.
    case state(BlockState)
  }

  public enum Output: Sendable {
    case state(BlockState)
    /// The model's output, of the last stage.
    case output(Tensor)
  }

  /// Runs the stage's blocks for one step of a sample.
  ///
  /// - Parameter betweenBlocks: is called before each block; it may run steps of other samples meanwhile.
  /// - Returns: what goes on to the next stage, and the clusters found at this stage.
  /// - Throws: ``StageError`` for a sample that was not opened; `CancellationError` between two blocks if the task is
  ///   cancelled. The sample must then be closed: its cache has seen half a step.
  public func run(
    _ context: StepContext, _ input: Input, probe: Probe? = nil,
    betweenBlocks: (isolated Stage) throws -> Void = { _ in }
  ) throws -> (output: Output, clusters: [TokenStream: TokenClusters]) {
    guard let running = samples[context.sample] else { throw StageError.unknownSample(context.sample) }
    let (sample, cache) = (running.sample, running.cache)
    cache.begin(CacheStep(index: context.index, kind: context.kind, clusters: context.clusters))
    let vec = sample.conditioning(timestep: context.timestep, probe: probe)
    var state =
      switch input {
      case .latents(let latents): sample.embed(latents, conditioning: vec, probe: probe)
      case .state(let state): state
      }
    try sample.run(&state, conditioning: vec, cache: cache, probe: probe) {
      try Task.checkCancellation()
      try betweenBlocks(self)
    }
    if let probe { cache.show(probe.module("cache")) }
    let output: Output =
      isLast ? .output(sample.project(state, conditioning: vec, probe: probe)) : .state(state)
    return (output, cache.newClusters)
  }
}

/// Why a stage cannot run a step.
public enum StageError: Error, Sendable, CustomStringConvertible {
  case unknownSample(SampleID)

  public var description: String {
    switch self {
    case .unknownSample(let id): "The stage does not know job \(id.job), row \(id.row)."
    }
  }
}
