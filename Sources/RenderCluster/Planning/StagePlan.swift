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

  /// - Parameters:
  ///   - meanOperations: those of a full step unless given.
  ///   - cachedStateBytes: the hidden states unless given.
  public init(
    operations: Int, meanOperations: Int? = nil, weightBytes: Int, cacheBytes: Int, stateBytes: Int,
    cachedStateBytes: Int? = nil, forecastBytes: Int = 0, cachedShare: Double = 0
  ) {
    self.operations = operations
    self.meanOperations = meanOperations ?? operations
    self.weightBytes = weightBytes
    self.cacheBytes = cacheBytes
    self.stateBytes = stateBytes
    self.cachedStateBytes = cachedStateBytes ?? stateBytes
    self.forecastBytes = forecastBytes
    self.cachedShare = cachedShare
  }

  /// What is handed over at a step on the average of a run.
  var meanStateBytes: Int {
    Int(((1 - cachedShare) * Double(stateBytes) + cachedShare * Double(cachedStateBytes)).rounded())
  }

  /// What passes beside it.
  var meanForecastBytes: Int { Int((cachedShare * Double(forecastBytes)).rounded()) }
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
    /// Of one sample.
    public var cacheBytes: Int
    /// So many samples' caches fit beside the weights, up to ``StagePlan/mostSamples``.
    public var samples: Int
  }

  /// The most samples that a stage is said to have room for: caches may be empty.
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
  ///   - overhead: bytes that a stage needs beside weights and caches.
  init(_ worker: WorkerCapacity, _ blocks: BlockRange, _ all: [BlockCost], overhead: Int) {
    let costs = all[blocks]
    let weights = costs.reduce(0) { $0 + $1.weightBytes }
    let cache = costs.reduce(0) { $0 + $1.cacheBytes }
    self.init(
      worker: worker.name, blocks: blocks,
      seconds: worker.seconds(
        operations: costs.reduce(0) { $0 + $1.operations }, handingOver: costs.last?.stateBytes ?? 0),
      weightBytes: weights, cacheBytes: cache,
      samples: cache == 0
        ? StagePlan.mostSamples
        : min(StagePlan.mostSamples, (worker.memoryBytes - overhead - weights) / cache))
  }
}
