import Glibc

/// Bytes that do not change any more: the second frame of a message, or a part of a tensor.
///
/// A value shares its memory with its copies and slices, with the tensor that it is of, and with ZeroMQ while it is being
/// sent: nothing is copied on the way out. A received frame is a payload of the memory into which ZeroMQ read it.
public struct Payload: Sendable {
  /// Keeps the memory.
  private let owner: (any AnyObject & Sendable)?
  private nonisolated(unsafe) let start: UnsafeRawPointer?
  public let count: Int

  public static let empty = Payload(owner: nil, start: nil, count: 0)

  /// - Parameter start: good as long as `owner` lives.
  init(owner: (any AnyObject & Sendable)?, start: UnsafeRawPointer?, count: Int) {
    self.owner = owner
    self.start = start
    self.count = count
  }

  /// A copy of the bytes.
  public init(_ bytes: some Collection<UInt8>) {
    self.init(byteCount: bytes.count) { $0.copyBytes(from: bytes) }
  }

  /// Text as UTF-8.
  public init(_ text: String) { self.init(Array(text.utf8)) }

  /// New memory of so many bytes, all of which `fill` writes.
  public init<Failure: Error>(
    byteCount: Int, fill: (UnsafeMutableRawBufferPointer) throws(Failure) -> Void
  ) throws(Failure) {
    let memory = PayloadMemory(byteCount: byteCount)
    try fill(memory.bytes)
    self.init(memory)
  }

  init(_ memory: PayloadMemory) {
    self.init(owner: memory, start: UnsafeRawPointer(memory.bytes.baseAddress), count: memory.bytes.count)
  }

  /// A part of the bytes, in the same memory.
  public func slice(_ range: Range<Int>) -> Payload {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "the range reaches beyond the payload")
    return Payload(owner: owner, start: start.map { $0 + range.lowerBound }, count: range.count)
  }

  /// Calls `body` with the bytes; the pointer is good only during the call.
  public func withBytes<Value, Failure: Error>(
    _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    defer { withExtendedLifetime(owner) {} }
    return try body(UnsafeRawBufferPointer(start: start, count: count))
  }

  /// A copy.
  public var bytes: [UInt8] { withBytes { Array($0) } }

  /// One reference to the memory, to be given back with ``release(_:)``, and the bytes.
  func retained() -> (bytes: UnsafeRawBufferPointer, owner: UnsafeMutableRawPointer?) {
    (
      UnsafeRawBufferPointer(start: start, count: count),
      owner.map { Unmanaged.passRetained($0 as AnyObject).toOpaque() }
    )
  }

  static func release(_ owner: UnsafeMutableRawPointer?) {
    if let owner { Unmanaged<AnyObject>.fromOpaque(owner).release() }
  }
}

/// Equal bytes.
extension Payload: Equatable {
  public static func == (left: Payload, right: Payload) -> Bool {
    left.withBytes { left in right.withBytes { right in left.elementsEqual(right) } }
  }
}

/// Memory that is written before it becomes a payload.
///
/// Unchecked: whoever makes one is alone with it until ``Payload/init(_:)-(PayloadMemory)`` takes it, and nobody writes
/// afterwards.
final class PayloadMemory: @unchecked Sendable {
  let bytes: UnsafeMutableRawBufferPointer

  init(byteCount: Int) { bytes = .allocate(byteCount: byteCount, alignment: 64) }

  deinit { bytes.deallocate() }
}
