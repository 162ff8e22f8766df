import Rendering
import Transformers

/// What one block of a model costs at a certain size of picture; the first and the last also bear what only they need:
/// embedders and output.
public struct BlockCost: Sendable, Hashable {
  /// Floating-point operations of a full step of one sample.
  public var operations: Int
  /// What a step of one sample takes on the average of a run, full and cached ones together, as so many operations.
  public var meanOperations: Int
  /// What a stage holds more for having the block.
  public var weightBytes: Int
  /// What is kept of one sample from step to step: features, and what modulates the block.
  public var cacheBytes: Int
  /// The hidden states that one sample hands over behind the block at a full step.
  public var stateBytes: Int
  /// What it hands over at a cached step.
  public var cachedStateBytes: Int
  /// What is known of a cached step before it begins: it passes behind the full step before.
  public var forecastBytes: Int
  /// The share of cached steps in a run.
  public var cachedShare: Double
  /// What one sample takes at either end of the link behind the block: the hidden states of a full step, and what is known
  /// of all cached steps behind it.
  public var transitBytes: Int
  /// What computing the block takes on the way.
  public var activations: ActivationBytes

  /// - Parameters:
  ///   - meanOperations: those of a full step unless given.
  ///   - cachedStateBytes: the hidden states unless given.
  public init(
    operations: Int, meanOperations: Int? = nil, weightBytes: Int, cacheBytes: Int, stateBytes: Int,
    cachedStateBytes: Int? = nil, forecastBytes: Int = 0, cachedShare: Double = 0, transitBytes: Int = 0,
    activations: ActivationBytes = ActivationBytes()
  ) {
    self.operations = operations
    self.meanOperations = meanOperations ?? operations
    self.weightBytes = weightBytes
    self.cacheBytes = cacheBytes
    self.stateBytes = stateBytes
    self.cachedStateBytes = cachedStateBytes ?? stateBytes
    self.forecastBytes = forecastBytes
    self.cachedShare = cachedShare
    self.transitBytes = transitBytes
    self.activations = activations
  }

  /// What is handed over at a step on the average of a run.
  var meanStateBytes: Int {
    Int(((1 - cachedShare) * Double(stateBytes) + cachedShare * Double(cachedStateBytes)).rounded())
  }

  /// What passes beside it.
  var meanForecastBytes: Int { Int((cachedShare * Double(forecastBytes)).rounded()) }
}

extension [BlockCost] {
  /// What one sample takes on a stage of some of the model's blocks: what is kept, and what passes at both ends.
  func sampleBytes(_ stage: BlockRange) -> Int {
    self[stage].reduce(0) { $0 + $1.cacheBytes } + transitBytes(stage)
  }

  /// What each takes for one sample on a stage of its own.
  var bytesAlone: [Int] {
    indices.map { self[$0].weightBytes + sampleBytes($0..<$0 + 1) + activationBytes($0..<$0 + 1) }
  }

  /// What computing them takes on the way, one after the other.
  func activationBytes(_ stage: BlockRange) -> Int {
    self[stage].reduce(into: ActivationBytes()) { $0.merge($1.activations) }.total
  }

  /// What one sample takes of what comes from the stage before and goes to the next.
  func transitBytes(_ stage: BlockRange) -> Int {
    (stage.lowerBound > 0 ? self[stage.lowerBound - 1].transitBytes : 0) + self[stage.upperBound - 1].transitBytes
  }
}

/// What a worker brings.
public struct WorkerCapacity: Sendable, Hashable {
  public var name: String
  /// As measured.
  public var operationsPerSecond: Double
  /// What weights, caches and activations may take.
  public var memoryBytes: Int
  /// Of its link to the others.
  public var bytesPerSecond: Double

  public init(name: String, operationsPerSecond: Double, memoryBytes: Int, bytesPerSecond: Double) {
    self.name = name
    self.operationsPerSecond = operationsPerSecond
    self.memoryBytes = memoryBytes
    self.bytesPerSecond = bytesPerSecond
  }
}

/// Which worker has which blocks.
public struct StagePlan: Sendable, Hashable {
  public struct Stage: Sendable, Hashable {
    public var worker: String
    public var blocks: BlockRange
    /// Of a full step of one sample, computing and handing over.
    public var seconds: Double
    public var weightBytes: Int
    /// What computing the blocks takes on the way.
    public var activationBytes: Int
    /// Of one sample.
    public var cacheBytes: Int
    /// Of one sample: what comes from the stage before and goes to the next.
    public var transitBytes: Int
    /// So many samples fit beside the weights, up to ``StagePlan/mostSamples``.
    public var samples: Int
  }

  /// The most samples that a stage is said to have room for: they may take nothing.
  public static let mostSamples = 1 << 16

  /// A worker that has no blocks, and why, as the end of a sentence.
  public struct LeftOut: Sendable, Hashable {
    public var worker: String
    public var reason: String
  }

  /// In the order of their blocks.
  public var stages: [Stage]
  public var leftOut: [LeftOut]
  /// The samples that can be in flight at once: the least of all stages.
  public var samples: Int
  /// Seconds of one full step of one sample through all stages.
  public var latency: Double
  /// Seconds from one sample's full step to the next one's when enough are in flight: the slowest stage's.
  public var interval: Double

  /// Seconds from one sample's full step to the next one's with so many samples in flight, or as many as there is room
  /// for.
  public func period(samplesInFlight: Int) -> Double {
    max(interval, latency / Double(max(1, min(samplesInFlight, samples))))
  }
}

extension StagePlan {
  init(stages: [Stage], leftOut: [LeftOut]) {
    self.init(
      stages: stages, leftOut: leftOut, samples: stages.map(\.samples).min() ?? 0,
      latency: stages.reduce(0) { $0 + $1.seconds }, interval: stages.map(\.seconds).max() ?? 0)
  }
}

extension StagePlan.Stage {
  /// - Parameters:
  ///   - all: the blocks of the model.
  ///   - overhead: bytes that any stage needs beside what its blocks do.
  init(_ worker: WorkerCapacity, _ blocks: BlockRange, _ all: [BlockCost], overhead: Int) {
    let costs = all[blocks]
    let weights = costs.reduce(0) { $0 + $1.weightBytes }
    let sample = all.sampleBytes(blocks)
    let transit = all.transitBytes(blocks)
    let activations = all.activationBytes(blocks)
    self.init(
      worker: worker.name, blocks: blocks,
      seconds: worker.seconds(
        operations: costs.reduce(0) { $0 + $1.operations }, handingOver: costs.last?.stateBytes ?? 0),
      weightBytes: weights, activationBytes: activations, cacheBytes: sample - transit, transitBytes: transit,
      samples: sample == 0
        ? StagePlan.mostSamples
        : min(StagePlan.mostSamples, (worker.memoryBytes - overhead - weights - activations) / sample))
  }
}
