/// A stage that a worker holds since before the coordinator was started. The fence has the attempt and the number under which
/// it was assigned; the samples that are open in it travel as JSON in the payload.
public struct HeldStage: Sendable, Hashable {
  /// In which it was assigned.
  public var epoch: UInt64
  public var blocks: Range<UInt32>
  /// Of its pipeline.
  public var stages: UInt32
  public var model: Digest
  public var precision: WirePrecision

  public init(epoch: UInt64, blocks: Range<UInt32>, stages: UInt32, model: Digest, precision: WirePrecision) {
    self.epoch = epoch
    self.blocks = blocks
    self.stages = stages
    self.model = model
    self.precision = precision
  }
}

extension HeldStage: MessageFields {
  static let kind = MessageKind.held
  static let fields: FieldSet = [.heldEpoch, .lower, .upper, .stages, .model, .precision]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    epoch = header[\.held_epoch]
    blocks = try header.blocks()
    stages = header[\.stages]
    model = try header.model()
    precision = try header.value(\.precision.rawValue, .precision)
  }

  func write(to header: HeaderWriter) {
    header.message.held_epoch = epoch
    header.message.lower = blocks.lowerBound
    header.message.upper = blocks.upperBound
    header.message.stages = stages
    header.message.model = header.bytes(model.bytes)
    header.message.precision.rawValue = precision.rawValue
  }

  func payloadRule(_ limits: Limits) -> PayloadRule { .atMost(limits.settingsBytes) }
}
