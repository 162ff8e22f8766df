import Messaging
import Tensors

/// The weights of a transformer, and how they are computed with: what all stages of a pipeline have in common.
public struct ModelKey: Sendable, Hashable {
  public var digest: Digest
  public var precision: Precision

  public init(digest: Digest, precision: Precision) {
    self.digest = digest
    self.precision = precision
  }
}

/// One sample in the cluster: a row of a job.
public struct SampleKey: Sendable, Hashable, Comparable {
  public var job: UInt64
  public var row: UInt32

  public init(job: UInt64, row: UInt32) {
    self.job = job
    self.row = row
  }

  public static func < (left: SampleKey, right: SampleKey) -> Bool { (left.job, left.row) < (right.job, right.row) }
}

extension Fence {
  var sample: SampleKey { SampleKey(job: job, row: row) }
}

/// What the coordinator has to know of a job before it starts.
public struct JobFacts: Sendable, Hashable {
  public var model: ModelKey
  /// The model's name, for people.
  public var modelName: String
  /// The samples of a step: 2 under classifier-free guidance.
  public var rows: Int
  public var steps: Int
  public var blocks: [BlockCost]
  /// The bytes that any stage needs beside what its blocks do.
  public var overheadBytes: Int

  /// Whether no step hangs on what stages keep of those before, so that any stage can go on with any step.
  var keepsNothing: Bool { blocks.allSatisfy { $0.cacheBytes == 0 } }

  public init(
    model: ModelKey, modelName: String, rows: Int, steps: Int, blocks: [BlockCost], overheadBytes: Int
  ) {
    self.model = model
    self.modelName = modelName
    self.rows = rows
    self.steps = steps
    self.blocks = blocks
    self.overheadBytes = overheadBytes
  }
}

/// A step as the denoiser asks for it, and as a stage can do it again.
public struct StepRequest: Sendable, Equatable {
  public var order: StepOrder
  /// The labels of the clusters.
  public var labels: Payload

  public init(order: StepOrder, labels: Payload) {
    self.order = order
    self.labels = labels
  }
}
