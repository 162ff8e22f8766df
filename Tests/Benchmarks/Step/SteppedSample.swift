import FeatureCaching
import Measuring
import Tensors
import Transformers

/// A sample of a model on one stage, of which somebody asks for any steps.
final class SteppedSample {
  /// How long a step took, in seconds.
  struct Times {
    let total: Double
    /// Of all threads together.
    let processor: Double
    /// Each block from its beginning to that of the next.
    let blocks: [Double]
  }

  private let model: any DiffusionTransformer
  private let sample: any TransformerSample
  private let cache: any FeatureCache
  /// Of runs without caching.
  private let noCache: any FeatureCache
  private var clusters: [TokenStream: TokenClusters] = [:]
  private let latents: Tensor
  private let timesteps = (0..<50).map { 1000 - 20 * Float($0) }

  init(_ source: StepSample, _ policy: any FeatureCachePolicy) throws {
    model = source.model
    sample = try source.model.makeSample(source.inputs, timesteps: timesteps)
    let setup = CacheSetup(
      choices: KeyedChoices(seed: 0, row: 0), steps: timesteps.count, layout: source.model.layout,
      columns: source.inputs.grid.columns)
    (cache, noCache) = (policy.makeCache(setup), NoCaching().makeCache(setup))
    latents = RandomValues.tensor([source.inputs.grid.tokens, source.model.latentChannels], seed: 9)
  }

  var steps: Int { timesteps.count }

  /// Computes what is computed once for all steps.
  func prepare() { _ = sample.conditioning(timestep: timesteps[0], probe: nil) }

  /// - Parameter blocks: all unless given.
  func step(_ index: Int, _ kind: StepKind, blocks: BlockRange? = nil) -> Times {
    let times = run(index, kind, blocks ?? model.blocks, cache)
    if kind.isFull { clusters = cache.newClusters }
    return times
  }

  func uncachedStep(_ index: Int) -> Times { run(index, .full, model.blocks, noCache) }

  private func run(_ index: Int, _ kind: StepKind, _ blocks: BlockRange, _ cache: any FeatureCache) -> Times {
    let watch = Stopwatch()
    var begins: [Double] = []
    cache.begin(CacheStep(index: index, kind: kind, clusters: kind.isFull ? [:] : clusters))
    let conditioning = sample.conditioning(timestep: timesteps[index], probe: nil)
    var state = sample.embed(
      latents, conditioning: conditioning, leavesTextOut: cache.leavesTextOut, probe: nil)
    sample.run(&state, blocks: blocks, conditioning: conditioning, cache: cache, probe: nil) { _ in
      begins.append(watch.seconds)
    }
    begins.append(watch.seconds)
    _ = sample.project(state, conditioning: conditioning, probe: nil)
    return Times(
      total: watch.seconds, processor: watch.processorSeconds, blocks: zip(begins, begins.dropFirst()).map { $1 - $0 })
  }
}
