import FeatureCaching
import Measuring
import Tensors
import Transformers

/// A sample of a model whose steps are timed part by part.
final class TimedSample {
  let shape: StepModel
  let precision: Precision
  let policy: any FeatureCachePolicy
  private let source: StepSample
  private let sample: any TransformerSample
  private let cache: any FeatureCache
  private var clusters: [TokenStream: TokenClusters] = [:]
  private let latents: Tensor
  private let timesteps = (0..<50).map { 1000 - 20 * Float($0) }
  /// The seconds before the first step for what is computed for all timesteps at once, of the blocks that are measured.
  private(set) var preparation = 0.0
  private(set) var full = StepTimes()
  private(set) var cached = StepTimes()

  init(_ shape: StepModel, _ precision: Precision) throws {
    self.shape = shape
    self.precision = precision
    policy = shape.cache.policy
    source = try shape.makeSample(precision, timesteps: timesteps)
    sample = try source.model.makeSample(source.inputs, timesteps: timesteps)
    cache = policy.makeCache(
      CacheSetup(
        choices: KeyedChoices(seed: 0, row: 0), steps: timesteps.count, layout: source.model.layout,
        columns: source.inputs.grid.columns))
    latents = RandomValues.tensor([source.inputs.grid.tokens, source.model.latentChannels], seed: 9)
    let watch = Stopwatch()
    _ = sample.conditioning(timestep: timesteps[0], probe: nil)
    preparation = watch.seconds
  }

  /// Runs one step; `isTimed` is false for those that only warm up.
  func step(_ index: Int, _ kind: StepKind, isTimed: Bool) {
    let watch = Stopwatch()
    var begins: [Double] = []
    cache.begin(CacheStep(index: index, kind: kind, clusters: kind.isFull ? [:] : clusters))
    let conditioning = sample.conditioning(timestep: timesteps[index], probe: nil)
    var state = sample.embed(latents, conditioning: conditioning, probe: nil)
    sample.run(
      &state, blocks: source.model.blocks, conditioning: conditioning, cache: cache, probe: nil
    ) { begins.append(watch.seconds) }
    let end = watch.seconds
    _ = sample.project(state, conditioning: conditioning, probe: nil)
    let (total, processor) = (watch.seconds, watch.processorSeconds)
    if kind.isFull { clusters = cache.newClusters }
    guard isTimed else { return }
    let blocks = zip(begins, begins.dropFirst() + [end]).map { $1 - $0 }
    if kind.isFull {
      full.add(total: total, processor: processor, blocks: blocks)
    } else {
      cached.add(total: total, processor: processor, blocks: blocks)
    }
  }

  /// Operations of the blocks that are timed, in a full step.
  var operations: Double { source.branches.reduce(Double(source.outside)) { $0 + Double($1.operations) } }

  /// Operations of the released model's blocks: in a full step and in a cached one.
  var wholeOperations: (full: Double, cached: Double) {
    let step = PlannedStep(index: 10, of: 50, kind: .cached(distance: 1))
    return source.branches.reduce((Double(source.outside), Double(source.outside))) { sums, branch in
      let weight = shape.weight(ofBlock: branch.branch.block)
      return (
        sums.0 + weight * Double(branch.operations),
        sums.1 + weight * Double(policy.computedOperations(branch, at: step))
      )
    }
  }
}

/// The times of steps of one kind, in seconds.
struct StepTimes {
  private(set) var total = Sample()
  private(set) var processor = Sample()
  private(set) var blocks: [Sample] = []

  mutating func add(total: Double, processor: Double, blocks: [Double]) {
    self.total.values.append(total)
    self.processor.values.append(processor)
    if self.blocks.isEmpty { self.blocks = blocks.map { _ in Sample() } }
    for (index, seconds) in blocks.enumerated() { self.blocks[index].values.append(seconds) }
  }

  /// A step of the released model: its blocks by those that were timed, and what lies outside of them as it is.
  func whole(_ shape: StepModel, _ time: (Sample) -> Double) -> Double {
    let outside = time(total) - blocks.reduce(0) { $0 + time($1) }
    return blocks.enumerated().reduce(outside) { $0 + shape.weight(ofBlock: $1.offset) * time($1.element) }
  }
}
