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
  private(set) var full: FullStepTimes
  private(set) var cached = CachedStepTimes()

  init(_ shape: StepModel, _ precision: Precision) throws {
    self.shape = shape
    self.precision = precision
    policy = shape.cache.policy
    full = FullStepTimes(shape)
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

  /// Runs a full step; `isTimed` is false for those that only warm up.
  func fullStep(_ index: Int, isTimed: Bool) {
    let watch = Stopwatch()
    let begins = run(index, .full, source.model.blocks, watch)
    let (total, processor) = (watch.seconds, watch.processorSeconds)
    clusters = cache.newClusters
    guard isTimed else { return }
    full.add(total: total, processor: processor, blocks: zip(begins, begins.dropFirst()).map { $1 - $0 })
  }

  /// Runs cached steps at a distance of the last full one: of all blocks, and without the first and the last if these
  /// stand for others, so that what each adds is known. What one of them alone takes would not say it: the features of
  /// many blocks are added to the hidden states together.
  func cachedSteps(_ index: Int, distance: Int, isTimed: Bool) {
    func seconds(_ blocks: BlockRange) -> Double {
      let watch = Stopwatch()
      _ = run(index, .cached(distance: distance), blocks, watch)
      return watch.seconds
    }
    let blocks = source.model.blocks
    let all = seconds(blocks)
    let parts = shape.repetition.map { _ in (seconds(blocks.dropFirst()), seconds(blocks.dropLast())) }
    if isTimed { cached.add(all: all, withoutDouble: parts?.0, withoutSingle: parts?.1) }
  }

  /// - Returns: when each block began, and when the last had ended.
  private func run(_ index: Int, _ kind: StepKind, _ blocks: BlockRange, _ watch: Stopwatch) -> [Double] {
    var begins: [Double] = []
    cache.begin(CacheStep(index: index, kind: kind, clusters: kind.isFull ? [:] : clusters))
    let conditioning = sample.conditioning(timestep: timesteps[index], probe: nil)
    var state = sample.embed(latents, conditioning: conditioning, probe: nil)
    sample.run(&state, blocks: blocks, conditioning: conditioning, cache: cache, probe: nil) { _ in
      begins.append(watch.seconds)
    }
    begins.append(watch.seconds)
    _ = sample.project(state, conditioning: conditioning, probe: nil)
    return begins
  }

  /// Operations of the blocks that are compared, in a full step.
  var operations: Double {
    source.branches.reduce(Double(source.outside)) {
      shape.isCompared($1.branch.block) ? $0 + Double($1.operations) : $0
    }
  }

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

/// The times of full steps, in seconds.
struct FullStepTimes {
  private let shape: StepModel
  /// Of the blocks that PyTorch computes too, with what lies outside of blocks.
  private(set) var compared = Sample()
  /// Of the released model: its blocks by those that were timed, and what lies outside of them as it is.
  private(set) var whole = Sample()
  private(set) var processor = Sample()
  private(set) var blocks: [Sample] = []

  init(_ shape: StepModel) { self.shape = shape }

  mutating func add(total: Double, processor: Double, blocks: [Double]) {
    let outside = total - blocks.reduce(0, +)
    compared.values.append(
      blocks.enumerated().reduce(outside) { shape.isCompared($1.offset) ? $0 + $1.element : $0 })
    whole.values.append(blocks.enumerated().reduce(outside) { $0 + shape.weight(ofBlock: $1.offset) * $1.element })
    self.processor.values.append(processor)
    if self.blocks.isEmpty { self.blocks = blocks.map { _ in Sample() } }
    for (index, seconds) in blocks.enumerated() { self.blocks[index].values.append(seconds) }
  }
}

/// The times of cached steps, in seconds.
struct CachedStepTimes {
  private(set) var all = Sample()
  private(set) var withoutDouble = Sample()
  private(set) var withoutSingle = Sample()

  mutating func add(all: Double, withoutDouble: Double?, withoutSingle: Double?) {
    self.all.values.append(all)
    if let withoutDouble { self.withoutDouble.values.append(withoutDouble) }
    if let withoutSingle { self.withoutSingle.values.append(withoutSingle) }
  }

  /// A step of the released model.
  ///
  /// - Parameter time: takes one of the times, such as the median; a difference of two of them is one block's.
  func whole(_ shape: StepModel, _ time: (Sample) -> Double) -> Double {
    guard let repetition = shape.repetition else { return time(all) }
    return time(all) + Double(repetition.double - 2) * (time(all) - time(withoutDouble))
      + Double(repetition.single - 2) * (time(all) - time(withoutSingle))
  }
}
