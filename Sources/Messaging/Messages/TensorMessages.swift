/// A piece of a tensor; its bytes are the payload. See ``TensorSender`` and ``TensorInbox``.
public struct TensorChunk: Sendable, Hashable {
  /// The sender's number of the tensor.
  public var transfer: UInt64
  public var plan: TensorPlan
  /// Of the first byte, in the tensor.
  public var offset: Int
  /// ``Checksum/of(_:offset:total:)``.
  public var checksum: UInt64

  public init(transfer: UInt64, plan: TensorPlan, offset: Int, checksum: UInt64) {
    self.transfer = transfer
    self.plan = plan
    self.offset = offset
    self.checksum = checksum
  }
}

extension TensorChunk: MessageFields {
  static let kind = MessageKind.chunk
  static let fields: FieldSet = [.transfer, .stream, .dtype, .dims, .offset, .totalBytes, .checksum]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    transfer = header[\.transfer]
    let stream: WireStream = try header.value(\.stream.rawValue, .stream)
    let elements: WireElement = try header.value(\.dtype.rawValue, .dtype)
    let dims = try header.list(\.dims, count: header[\.n_dims], .dims, maximum: TensorPlan.maximumRank)
    guard let plan = TensorPlan(stream, elements.dtype, shape: dims.map(Int.init)) else {
      throw header.malformed(.dims, "is no shape")
    }
    guard header[\.total_bytes] == UInt64(plan.byteCount) else {
      throw header.malformed(.totalBytes, "is not what shape and type make")
    }
    self.plan = plan
    guard header[\.offset] < UInt64(plan.byteCount) else { throw header.malformed(.offset, "lies behind the tensor") }
    offset = Int(header[\.offset])
    checksum = header[\.checksum]
  }

  func write(to header: HeaderWriter) {
    header.message.transfer = transfer
    header.message.stream.rawValue = plan.stream.rawValue
    header.message.dtype.rawValue = plan.element.rawValue
    (header.message.dims, header.message.n_dims) = header.list(plan.shape.map(UInt32.init))
    header.message.offset = UInt64(offset)
    header.message.total_bytes = UInt64(plan.byteCount)
    header.message.checksum = checksum
  }

  func payloadRule(_ limits: Limits) -> PayloadRule {
    .exactly(min(limits.chunkBytes, plan.byteCount - offset))
  }
}

/// A chunk has arrived well, now or before.
public struct ChunkReceipt: Sendable, Hashable {
  public var transfer: UInt64
  public var offset: Int
  /// The bytes that may be on their way without a receipt.
  public var window: Int

  public init(transfer: UInt64, offset: Int, window: Int) {
    self.transfer = transfer
    self.offset = offset
    self.window = window
  }
}

extension ChunkReceipt: MessageFields {
  static let kind = MessageKind.ack
  static let fields: FieldSet = [.transfer, .offset, .window]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    transfer = header[\.transfer]
    offset = try header.count(\.offset, .offset)
    window = try header.count(\.window, .window)
  }

  func write(to header: HeaderWriter) {
    header.message.transfer = transfer
    header.message.offset = UInt64(offset)
    header.message.window = UInt64(window)
  }
}

/// A chunk has arrived damaged: send it again.
public struct ChunkRequest: Sendable, Hashable {
  public var transfer: UInt64
  public var offset: Int

  public init(transfer: UInt64, offset: Int) {
    self.transfer = transfer
    self.offset = offset
  }
}

extension ChunkRequest: MessageFields {
  static let kind = MessageKind.resend
  static let fields: FieldSet = [.transfer, .offset]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    transfer = header[\.transfer]
    offset = try header.count(\.offset, .offset)
  }

  func write(to header: HeaderWriter) {
    header.message.transfer = transfer
    header.message.offset = UInt64(offset)
  }
}

/// Changes the window of a transfer: to zero to pause it, up again to go on.
public struct WindowChange: Sendable, Hashable {
  public var transfer: UInt64
  /// Bytes that may be on their way without a receipt.
  public var window: Int

  public init(transfer: UInt64, window: Int) {
    self.transfer = transfer
    self.window = window
  }
}

extension WindowChange: MessageFields {
  static let kind = MessageKind.credit
  static let fields: FieldSet = [.transfer, .window]

  init(reading header: HeaderReader) throws(MalformedMessage) {
    transfer = header[\.transfer]
    window = try header.count(\.window, .window)
  }

  func write(to header: HeaderWriter) {
    header.message.transfer = transfer
    header.message.window = UInt64(window)
  }
}
