import FeatureCaching
import Measuring
import Tensors
import Transformers

/// A sample of a model whose steps are timed part by part.
final class TimedSample {
  let shape: StepModel
  let precision: Precision
  let differences: FeaturePrecision
  let policy: any FeatureCachePolicy
  private let source: StepSample
  private let sample: SteppedSample
  /// The seconds before the first step for what is computed for all timesteps at once, of the blocks that are measured.
  private(set) var preparation = 0.0
  /// Full steps that keep what cached ones need, and steps without caching.
  private(set) var full: FullStepTimes
  private(set) var uncached: FullStepTimes
  private(set) var cached = CachedStepTimes()

  init(_ shape: StepModel, _ precision: Precision, differences: FeaturePrecision) throws {
    self.shape = shape
    self.precision = precision
    self.differences = differences
    policy = shape.cache(differences).policy
    (full, uncached) = (FullStepTimes(shape), FullStepTimes(shape))
    source = try shape.makeSample(precision)
    sample = try SteppedSample(source, policy)
    let watch = Stopwatch()
    sample.prepare()
    preparation = watch.seconds
  }

  var steps: Int { sample.steps }

  /// Runs a full step; `isTimed` is false for those that only warm up.
  func fullStep(_ index: Int, isTimed: Bool) {
    let times = sample.step(index, .full)
    if isTimed { full.add(times) }
  }

  func uncachedStep(_ index: Int) { uncached.add(sample.uncachedStep(index)) }

  /// Runs cached steps at a distance of the last full one: of all blocks, and without the first and the last if these
  /// stand for others, so that what each adds is known. What one of them alone takes would not say it: the features of
  /// many blocks are added to the hidden states together.
  func cachedSteps(_ index: Int, distance: Int, isTimed: Bool) {
    func seconds(_ blocks: BlockRange) -> Double {
      sample.step(index, .cached(distance: distance), blocks: blocks).total
    }
    let blocks = source.model.blocks
    let all = seconds(blocks)
    let parts = shape.repetition.map { _ in (seconds(blocks.dropFirst()), seconds(blocks.dropLast())) }
    if isTimed { cached.add(all: all, withoutDouble: parts?.0, withoutSingle: parts?.1) }
  }

  /// Operations of the blocks that are compared, in a full step.
  var operations: Double {
    Double(source.inputs.count)
      * source.branches.reduce(Double(source.outside)) {
        shape.isCompared($1.branch.block) ? $0 + Double($1.operations) : $0
      }
  }

  /// Operations of the released model at a step of one row.
  func wholeOperations(_ policy: any FeatureCachePolicy, _ step: PlannedStep) -> Double {
    source.branches.reduce(Double(step.kind.isFull ? source.outside : source.outsideOfCached)) { sum, branch in
      sum + shape.weight(ofBlock: branch.branch.block) * Double(policy.computedOperations(branch, at: step))
    }
  }

  /// Operations of a cached step of the released model, as a share of a full one's.
  var cachedShareOfOperations: Double {
    func operations(_ kind: StepKind) -> Double { wholeOperations(policy, PlannedStep(index: 10, of: 50, kind: kind)) }
    return operations(.cached(distance: 1)) / operations(.full)
  }

  /// How many times as fast 50 steps are with full steps at an interval as without caching, by operations and by the
  /// times that were measured.
  func speedUp(interval: Int) -> (operations: Double, time: Double) {
    var settings = shape.cache(differences)
    settings.interval = interval
    let policy = settings.policy
    let steps = policy.plannedSteps(50)
    let cachedTime = cached.whole(shape, \.median)
    let time = steps.reduce(0) { $0 + ($1.kind.isFull ? full.whole.median : cachedTime) }
    let operations = steps.reduce(0) { $0 + wholeOperations(policy, $1) }
    let all = steps.reduce(0) { $0 + wholeOperations(NoCaching(), $1) }
    return (all / operations, Double(steps.count) * uncached.whole.median / time)
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

  mutating func add(_ step: SteppedSample.Times) {
    let blocks = step.blocks
    let outside = step.total - blocks.reduce(0, +)
    compared.values.append(
      blocks.enumerated().reduce(outside) { shape.isCompared($1.offset) ? $0 + $1.element : $0 })
    whole.values.append(blocks.enumerated().reduce(outside) { $0 + shape.weight(ofBlock: $1.offset) * $1.element })
    processor.values.append(step.processor)
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
