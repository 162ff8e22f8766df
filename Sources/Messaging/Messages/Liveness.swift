/// A sign of life. Any message is one; this is sent when there is no other.
public struct Heartbeat: Sendable, Hashable {
  /// Raised by the thread that computes, so that a hang shows although heartbeats go on. The step is in the fence.
  public var progress: UInt64
  /// The block at which it is.
  public var block: UInt32
  /// Memory that the process uses, in bytes.
  public var residentBytes: UInt64
  /// Of these, the feature caches.
  public var cacheBytes: UInt64
  /// The sequence of the last heartbeat from the other side: each direction can be dead by itself.
  public var heard: UInt64
  /// The sender's clock, that only goes forward.
  public var clockMicroseconds: UInt64

  public init(
    progress: UInt64 = 0, block: UInt32 = 0, residentBytes: UInt64 = 0, cacheBytes: UInt64 = 0, heard: UInt64 = 0,
    clockMicroseconds: UInt64 = 0
  ) {
    self.progress = progress
    self.block = block
    self.residentBytes = residentBytes
    self.cacheBytes = cacheBytes
    self.heard = heard
    self.clockMicroseconds = clockMicroseconds
  }
}

extension Heartbeat: MessageFields {
  static let kind = MessageKind.heartbeat
  static let fields: FieldSet = [
    .progress, .block, .residentBytes, .cacheBytes, .heard, .clockMicroseconds,
  ]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    progress = header[\.progress]
    block = header[\.block]
    residentBytes = header[\.resident_bytes]
    cacheBytes = header[\.cache_bytes]
    heard = header[\.heard]
    clockMicroseconds = header[\.clock_microseconds]
  }

  func write(to header: HeaderWriter) {
    header.message.progress = progress
    header.message.block = block
    header.message.resident_bytes = residentBytes
    header.message.cache_bytes = cacheBytes
    header.message.heard = heard
    header.message.clock_microseconds = clockMicroseconds
  }
}

/// Acknowledges a message that has no other answer.
public struct Receipt: Sendable, Hashable {
  /// The sequence of that message.
  public var acknowledged: UInt64

  public init(acknowledged: UInt64) { self.acknowledged = acknowledged }
}

extension Receipt: MessageFields {
  static let kind = MessageKind.received
  static let fields: FieldSet = [.acknowledged]

  init(reading header: HeaderReader) throws(MalformedMessage) { acknowledged = header[\.acknowledged] }

  func write(to header: HeaderWriter) { header.message.acknowledged = acknowledged }
}
