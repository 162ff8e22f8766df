import FeatureCaching
import Measuring
import Tensors
import Transformers

/// A sample of a model whose steps are timed part by part.
final class TimedSample {
  let shape: StepModel
  let precision: Precision
  let kept: SeriesPrecision
  private let source: StepSample
  /// By the distance of full steps.
  private let samples: [Int: SteppedSample]
  private let policies: [Int: any FeatureCachePolicy]
  /// The seconds before the first step for what is computed for all timesteps at once, of the blocks that are measured.
  private(set) var preparation = 0.0
  /// Full steps that keep what cached ones need, and steps without caching.
  private(set) var full: FullStepTimes
  private(set) var uncached: FullStepTimes
  private(set) var cached: [Int: CachedStepTimes] = [:]
  /// Full steps that were taken so far at each distance.
  private var cycles = 0

  init(_ shape: StepModel, _ precision: Precision, kept: SeriesPrecision) throws {
    self.shape = shape
    self.precision = precision
    self.kept = kept
    (full, uncached) = (FullStepTimes(shape), FullStepTimes(shape))
    let source = try shape.makeSample(precision)
    let policies = Dictionary(
      uniqueKeysWithValues: shape.intervals.map { interval in
        var settings = shape.cache(kept)
        (settings.interval, settings.enhancedSteps) = (interval, 1)
        return (interval, settings.policy)
      })
    samples = try policies.mapValues { try SteppedSample(source, $0) }
    (self.source, self.policies) = (source, policies)
    let watch = Stopwatch()
    samples[Self.shownInterval]?.prepare()
    preparation = watch.seconds
  }

  /// The distance of full steps whose cached steps stand in the table.
  static let shownInterval = 5

  /// The cached steps of that distance.
  var shownCached: CachedStepTimes { cached[Self.shownInterval] ?? CachedStepTimes() }

  /// A full step and the cached ones behind it, for each distance of full steps; `isTimed` is false for those that only warm
  /// up.
  func cycle(isTimed: Bool) {
    for interval in shape.intervals {
      guard let sample = samples[interval] else { continue }
      let first = cycles * interval
      let times = sample.fullStep(first)
      if isTimed, interval == Self.shownInterval { full.add(times) }
      let cached = cachedSteps(sample, behind: first, interval: interval)
      if isTimed { self.cached[interval, default: CachedStepTimes()].add(cached) }
    }
    cycles += 1
  }

  func uncachedStep() { if let sample = samples[Self.shownInterval] { uncached.add(sample.uncachedStep(cycles)) } }

  /// The mean time of the cached steps behind a full one: of all blocks and, if blocks stand for others, of some of them, so
  /// that what a block more of each kind adds is known. What one of them alone takes would not say it: the features of many
  /// blocks are added to the hidden states together.
  private func cachedSteps(_ sample: SteppedSample, behind full: Int, interval: Int) -> CachedStepTimes.Step {
    func seconds(_ blocks: BlockRange) -> Double {
      sample.cachedSteps(behind: full, interval: interval, blocks: blocks)
    }
    let blocks = source.model.blocks
    let all = seconds(blocks)
    guard shape.repetition != nil else { return CachedStepTimes.Step(all: all) }
    return CachedStepTimes.Step(
      all: all,
      added: CachedStepTimes.Added(
        double: seconds(blocks) - seconds(blocks.dropFirst()),
        single: seconds(blocks.dropFirst(2)) - seconds(blocks.dropFirst(3))))
  }

  /// Full steps, or the cached ones behind one of them again and again, until the process is ended.
  func repeatForever(_ kind: Step.RepeatedKind) -> Never {
    cycle(isTimed: false)
    while true {
      switch kind {
      case .full: uncachedStep()
      case .cached:
        if let sample = samples[Self.shownInterval] {
          _ = cachedSteps(sample, behind: 0, interval: Self.shownInterval)
        }
      }
    }
  }

  /// Operations of the blocks that are compared, in a full step.
  var operations: Double {
    Double(source.inputs.count)
      * source.branches.reduce(Double(source.outside)) {
        shape.isCompared($1.branch.block) ? $0 + Double($1.operations) : $0
      }
  }

  /// Operations of the released model at a step of one row.
  private func wholeOperations(_ policy: any FeatureCachePolicy, _ step: PlannedStep) -> Double {
    source.operations(policy, at: step, weight: shape.weight)
  }

  /// Operations of a cached step of the released model, as a share of a full one's.
  var cachedShareOfOperations: Double {
    let policy = shape.cache(kept).policy
    func operations(_ kind: StepKind) -> Double { wholeOperations(policy, PlannedStep(index: 10, of: 50, kind: kind)) }
    return operations(.cached(distance: 1)) / operations(.full)
  }

  /// How many times as fast 50 steps are with full steps at an interval as without caching, by operations and by the
  /// times that were measured.
  func speedUp(interval: Int) -> (operations: Double, time: Double) {
    var settings = shape.cache(kept)
    settings.interval = interval
    let policy = settings.policy
    let steps = policy.plannedSteps(50)
    let cachedTime = cached[interval]?.whole(shape, \.median) ?? 0
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
  /// By a block more of each kind.
  private(set) var double = Sample()
  private(set) var single = Sample()

  struct Step {
    var all: Double
    var added: Added?
  }

  /// What a block more adds, all else being the same: the blocks it is measured with end with the model's last, which makes
  /// the hidden states whole, and none of them comes right behind the full step, when nothing is near.
  struct Added {
    var double: Double
    var single: Double
  }

  mutating func add(_ step: Step) {
    all.values.append(step.all)
    guard let added = step.added else { return }
    double.values.append(added.double)
    single.values.append(added.single)
  }

  /// A step of the released model.
  func whole(_ shape: StepModel, _ time: (Sample) -> Double) -> Double {
    guard let repetition = shape.repetition else { return time(all) }
    // A difference of two times may be too small by what disturbed the second: of these the median counts.
    return time(all) + Double(repetition.double - 2) * double.median + Double(repetition.single - 2) * single.median
  }
}
