/// The precision in which a stage computes.
public enum WirePrecision: UInt32, Sendable, Hashable, CaseIterable {
  case float32 = 1
  case bfloat16 = 2
  case int8 = 3
}

/// Gives a worker a stage: blocks of a model, and its neighbours in the pipeline. Stage, attempt and epoch are in the
/// fence.
public struct Assignment: Sendable, Hashable {
  /// The blocks, from 0, without the upper bound.
  public var blocks: Range<UInt32>
  /// The stages of the pipeline.
  public var stages: UInt32
  public var model: Digest
  public var precision: WirePrecision
  /// Where the hidden states go; nil: back to the coordinator.
  public var next: Neighbour?
  /// From whose key hidden states may come; nil: the coordinator's.
  public var previousKey: PublicKey?
  /// How long the stage is the worker's after the coordinator's last message, in milliseconds.
  public var leaseMilliseconds: UInt32
  /// Under which the worker holds the stage since before the coordinator was started; nil: it is to be loaded.
  public var held: Held?

  /// What another coordinator assigned.
  public struct Held: Sendable, Hashable {
    public var epoch: UInt64
    /// Above 0.
    public var attempt: UInt32

    public init(epoch: UInt64, attempt: UInt32) {
      self.epoch = epoch
      self.attempt = attempt
    }
  }

  /// A stage's successor.
  public struct Neighbour: Sendable, Hashable {
    public var address: String
    /// Nil where the transport is plain (ipc and loopback).
    public var key: PublicKey?

    public init(address: String, key: PublicKey?) {
      self.address = address
      self.key = key
    }
  }

  public init(
    blocks: Range<UInt32>, stages: UInt32, model: Digest, precision: WirePrecision, next: Neighbour? = nil,
    previousKey: PublicKey? = nil, leaseMilliseconds: UInt32, held: Held? = nil
  ) {
    self.held = held
    self.blocks = blocks
    self.stages = stages
    self.model = model
    self.precision = precision
    self.next = next
    self.previousKey = previousKey
    self.leaseMilliseconds = leaseMilliseconds
  }
}

extension Assignment: MessageFields {
  static let kind = MessageKind.assign
  static let fields: FieldSet = [
    .lower, .upper, .stages, .model, .precision, .nextAddress, .nextKey, .previousKey, .leaseMilliseconds, .heldEpoch,
    .heldAttempt,
  ]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    blocks = try header.blocks()
    stages = header[\.stages]
    model = try header.model()
    precision = try header.value(\.precision.rawValue, .precision)
    let address = try header.text(\.next_address, .nextAddress, maximumBytes: MessageText.addressBytes)
    let nextKey = try header.keyIfAny(\.next_key, .nextKey)
    guard !address.isEmpty || nextKey == nil else { throw header.malformed(.nextKey, "has no address") }
    next = address.isEmpty ? nil : Neighbour(address: address, key: nextKey)
    previousKey = try header.keyIfAny(\.previous_key, .previousKey)
    leaseMilliseconds = header[\.lease_milliseconds]
    let attempt = header[\.held_attempt]
    held = attempt == 0 ? nil : Held(epoch: header[\.held_epoch], attempt: attempt)
  }

  func write(to header: HeaderWriter) {
    header.message.lower = blocks.lowerBound
    header.message.upper = blocks.upperBound
    header.message.stages = stages
    header.message.model = header.bytes(model.bytes)
    header.message.precision.rawValue = precision.rawValue
    header.message.next_address = header.text(next?.address ?? "", maximumBytes: MessageText.addressBytes)
    header.message.next_key = header.text(next?.key?.text ?? "", maximumBytes: PublicKey.characters)
    header.message.previous_key = header.text(previousKey?.text ?? "", maximumBytes: PublicKey.characters)
    header.message.lease_milliseconds = leaseMilliseconds
    header.message.held_epoch = held?.epoch ?? 0
    header.message.held_attempt = held?.attempt ?? 0
  }
}

extension HeaderReader {
  /// Those of a stage.
  func blocks() throws(MalformedMessage) -> Range<UInt32> {
    let (lower, upper) = (self[\.lower], self[\.upper])
    guard lower < upper else { throw malformed(.upper, "is not above the lower bound") }
    return lower..<upper
  }

  /// That of a stage.
  func model() throws(MalformedMessage) -> Digest {
    guard let digest = try digestIfAny(\.model, .model) else { throw malformed(.model, "is missing") }
    return digest
  }
}

/// The worker has loaded its stage.
public struct Readiness: Sendable, Hashable {
  /// Memory that the process uses now, in bytes.
  public var residentBytes: UInt64

  public init(residentBytes: UInt64) { self.residentBytes = residentBytes }
}

extension Readiness: MessageFields {
  static let kind = MessageKind.ready
  static let fields: FieldSet = [.residentBytes]

  init(reading header: HeaderReader) throws(MalformedMessage) { residentBytes = header[\.resident_bytes] }

  func write(to header: HeaderWriter) { header.message.resident_bytes = residentBytes }
}

/// A stage could not be loaded, or a step not be computed.
public struct StageFailure: Sendable, Hashable {
  public var reason: Reason
  /// One sentence for people.
  public var text: String
  /// The block at which it happened.
  public var block: UInt32

  public init(_ reason: Reason, _ text: String, block: UInt32 = 0) {
    self.reason = reason
    self.text = text
    self.block = block
  }
}

extension StageFailure: MessageFields {
  static let kind = MessageKind.failed
  static let fields: FieldSet = [.reason, .text, .block]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    reason = try header.value(\.reason.rawValue, .reason)
    text = try header.text(\.text, .text, maximumBytes: MessageText.explanationBytes)
    block = header[\.block]
  }

  func write(to header: HeaderWriter) {
    header.message.reason.rawValue = reason.rawValue
    header.message.text = header.text(text, maximumBytes: MessageText.explanationBytes)
    header.message.block = block
  }
}
