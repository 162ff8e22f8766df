import FeatureCaching
import Tensors
import Transformers

/// Names one sample in a run: an image of a batch, or the unconditional half of its guidance.
public struct SampleID: Sendable, Hashable {
  public var job: Int
  /// The row within the job: 0 for the conditional sample, 1 for the unconditional one.
  public var row: UInt16

  public init(job: Int, row: UInt16 = 0) {
    self.job = job
    self.row = row
  }
}

/// What every stage learns about a sample before its first step.
public struct SampleSetup: Sendable {
  public var id: SampleID
  public var inputs: SampleInputs
  /// Those of the run's steps, 0...1000, in their order.
  public var timesteps: [Float]
  /// Makes the cache of every stage.
  public var policy: any FeatureCachePolicy
  /// The random choices of the caches.
  public var choices: any TokenChoices
  /// Whether a probe sees inside of some of its steps.
  public var isObserved: Bool

  public init(
    id: SampleID, inputs: SampleInputs, timesteps: [Float], policy: any FeatureCachePolicy,
    choices: any TokenChoices, isObserved: Bool = false
  ) {
    self.id = id
    self.inputs = inputs
    self.timesteps = timesteps
    self.policy = policy
    self.choices = choices
    self.isObserved = isObserved
  }
}

/// What every stage learns about a step of a sample: small, and the same for all stages.
public struct StepContext: Sendable {
  public var sample: SampleID
  /// The step's place in the run, from 0.
  public var index: Int
  public var kind: StepKind
  /// 0...1000, falling.
  public var timestep: Float
  /// The labels of the last full step, back from the stage that found them.
  public var clusters: [TokenStream: TokenClusters]

  public init(
    sample: SampleID, index: Int, kind: StepKind, timestep: Float, clusters: [TokenStream: TokenClusters] = [:]
  ) {
    self.sample = sample
    self.index = index
    self.kind = kind
    self.timestep = timestep
    self.clusters = clusters
  }
}

/// What the last stage gives back.
public struct StepResult: Sendable {
  /// The model's output, `[image tokens, channels]`.
  public var output: Tensor
  /// The clusters that a full step found; empty otherwise.
  public var clusters: [TokenStream: TokenClusters]
  /// What the step found out about itself, for the kinds of later ones; nil if nothing.
  public var signal: Float?

  public init(output: Tensor, clusters: [TokenStream: TokenClusters], signal: Float? = nil) {
    self.output = output
    self.clusters = clusters
    self.signal = signal
  }
}
