/// To which epoch, job, attempt and step a message belongs: what keeps the late and the doubled from having an effect.
public struct Fence: Sendable, Hashable {
  /// The coordinator's, raised at each of its starts.
  public var epoch: UInt64
  public var job: UInt64
  /// Within the job: 0 for the conditional sample, 1 for the unconditional one.
  public var row: UInt32
  /// Raised each time that the stage is assigned anew.
  public var attempt: UInt32
  public var stage: UInt32
  public var step: UInt32
  /// Counts the messages of one process to another, from 1; 0 for what is acknowledged otherwise or never.
  public var sequence: UInt64

  public init(
    epoch: UInt64 = 0, job: UInt64 = 0, row: UInt32 = 0, attempt: UInt32 = 0, stage: UInt32 = 0, step: UInt32 = 0,
    sequence: UInt64 = 0
  ) {
    self.epoch = epoch
    self.job = job
    self.row = row
    self.attempt = attempt
    self.stage = stage
    self.step = step
    self.sequence = sequence
  }
}
