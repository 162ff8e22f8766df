import CMessages

/// Turns messages into headers and back. A message is two frames: this header, and the payload.
public struct EnvelopeCodec: Sendable {
  /// The bytes in front of the fields.
  static let prefixBytes = 8
  private static let magic = Array("CLSC".utf8)

  public var limits: Limits

  public init(limits: Limits = Limits()) { self.limits = limits }

  /// The header of a message.
  public func encode(_ message: Message) -> [UInt8] {
    let writer = HeaderWriter()
    writer.message.epoch = message.fence.epoch
    writer.message.job = message.fence.job
    writer.message.row = message.fence.row
    writer.message.attempt = message.fence.attempt
    writer.message.stage = message.fence.stage
    writer.message.step = message.fence.step
    writer.message.sequence = message.fence.sequence
    message.body.fields?.write(to: writer)
    let header = writer.packed(behind: Self.magic + [UInt8(Hello.protocolVersion), message.kind.rawValue, 0, 0])
    assert(header.count <= limits.headerBytes, "texts and lists are cut so that every header fits")
    return header
  }

  /// The kind of a header, which is all that is looked at before it is known that the peer may send it.
  public func kind(of header: UnsafeRawBufferPointer) throws(MalformedMessage) -> MessageKind {
    guard header.count >= Self.prefixBytes else { throw MalformedMessage("The header is too short", at: header.count) }
    guard header.count <= limits.headerBytes else {
      throw MalformedMessage("The header has more than \(limits.headerBytes) bytes", at: limits.headerBytes)
    }
    guard header.prefix(4).elementsEqual(Self.magic) else {
      throw MalformedMessage("This is no message of clusca", at: 0)
    }
    guard header[4] == UInt8(Hello.protocolVersion) else {
      throw MalformedMessage("Version \(header[4]) of the protocol is not spoken here", at: 4)
    }
    guard let kind = MessageKind(rawValue: header[5]) else {
      throw MalformedMessage("The kind \(header[5]) is unknown", at: 5)
    }
    guard header[6] == 0, header[7] == 0 else { throw MalformedMessage("Bytes 6 and 7 are not zero", at: 6) }
    return kind
  }

  /// The message of a header and of a payload of so many bytes.
  ///
  /// - Throws: ``MalformedMessage`` for everything that `Proto/clusca.proto` does not allow.
  public func decode(_ header: UnsafeRawBufferPointer, payloadBytes: Int) throws(MalformedMessage) -> Message {
    let kind = try kind(of: header)
    let scan = try HeaderScan(header, from: Self.prefixBytes, kind: kind, limits: limits)
    let fields = UnsafeRawBufferPointer(rebasing: header[Self.prefixBytes...])
    var budget = UnpackingBudget(bytes: limits.unpackingBytes)
    return try budget.withAllocator { allocator throws(MalformedMessage) in
      let start = fields.baseAddress?.assumingMemoryBound(to: UInt8.self)
      guard let unpacked = clusca__header__unpack(allocator, fields.count, start) else {
        throw MalformedMessage("The fields cannot be unpacked", at: Self.prefixBytes)
      }
      defer { clusca__header__free_unpacked(unpacked, allocator) }
      let reader = HeaderReader(unpacked, offsets: scan.offsets, end: header.count)
      let body = try MessageBody(kind, reading: reader)
      guard body.payloadRule(limits).allows(payloadBytes) else {
        throw MalformedMessage("A payload of \(payloadBytes) bytes does not fit \(kind)", at: header.count)
      }
      return Message(body, fence: Fence(reading: reader))
    }
  }

  /// The message of a header; see the other `decode`.
  public func decode(_ header: [UInt8], payloadBytes: Int) throws(MalformedMessage) -> Message {
    // Array's own withUnsafeBytes does not keep the type of an error.
    try header.withUnsafeBytes { bytes in
      Result { () throws(MalformedMessage) in try decode(bytes, payloadBytes: payloadBytes) }
    }
    .get()
  }
}

extension Fence {
  init(reading header: HeaderReader) {
    self.init(
      epoch: header[\.epoch], job: header[\.job], row: header[\.row], attempt: header[\.attempt],
      stage: header[\.stage],
      step: header[\.step], sequence: header[\.sequence])
  }
}
