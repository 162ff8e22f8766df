/// The receiving end of tensors. It takes those that it was told to expect and nothing else: memory is counted when a
/// tensor is expected, and the wire can only agree with the plan or be refused.
public struct TensorInbox: ~Copyable {
  /// A tensor that is to come.
  public struct Expectation: Sendable, Hashable {
    public var plan: TensorPlan
    /// Its sequence does not count.
    public var fence: Fence
    /// Whose chunks are taken; nil: anybody's, on a plain transport.
    public var sender: PublicKey?
    /// Whether the first dimension may be less than that of the plan.
    public var takesFewerRows: Bool

    public init(_ plan: TensorPlan, fence: Fence, sender: PublicKey?, takesFewerRows: Bool = false) {
      self.plan = plan
      self.takesFewerRows = takesFewerRows
      self.fence = fence
      self.fence.sequence = 0
      self.sender = sender
    }
  }

  /// A tensor that is here.
  public struct Arrival: Sendable {
    public var plan: TensorPlan
    public var fence: Fence
    public var payload: Payload
  }

  /// What is to be done about a chunk.
  public enum Reaction: Sendable {
    /// Acknowledge it; it was good, now or before.
    case acknowledge(ChunkReceipt)
    /// Acknowledge it; the tensor is complete.
    case complete(Arrival, ChunkReceipt)
    /// Ask for it once more: its checksum is wrong.
    case request(ChunkRequest)
    /// Its checksum is wrong again: refuse it (reason `tensor`), strike, and end the attempt. It is expected no more.
    case giveUp(String)
    /// It differs from its plan: refuse it (reason `tensor`) and strike.
    case refuse(String)
    /// Not expected: late, early, or from somebody else. Answer with the current fence, without a strike.
    case unexpected
  }

  /// Why a tensor cannot be expected.
  public enum Failure: Error, Sendable, Hashable {
    /// So many bytes would be too many, for one tensor or for all at once.
    case tooLarge(bytes: Int, limit: Int)
    /// Another tensor is expected under the same fence and stream.
    case expectedAlready
  }

  private struct Key: Hashable {
    let fence: Fence
    let stream: WireStream
  }

  /// A tensor that is here, remembered so that chunks whose receipt was lost are acknowledged again.
  private struct Done: Hashable {
    let key: Key
    let transfer: UInt64
    let sender: PublicKey?
  }

  private static let rememberedTensors = 256

  private let limits: Limits
  private var receivers: [Key: ReceiverBox] = [:]
  private var done: [Done] = []
  /// Bytes of all expected tensors.
  public private(set) var expectedBytes = 0

  /// Receivers are not copied, so a dictionary holds them in boxes.
  private final class ReceiverBox {
    var receiver: TensorReceiver
    init(_ receiver: consuming TensorReceiver) { self.receiver = receiver }
  }

  public init(limits: Limits = Limits()) { self.limits = limits }

  /// Begins to take the chunks of a tensor.
  public mutating func expect(_ expectation: Expectation) throws(Failure) {
    let bytes = expectation.plan.byteCount
    guard bytes <= limits.tensorBytes else { throw .tooLarge(bytes: bytes, limit: limits.tensorBytes) }
    guard bytes <= limits.inboxBytes - expectedBytes else { throw .tooLarge(bytes: bytes, limit: limits.inboxBytes) }
    let key = Key(fence: expectation.fence, stream: expectation.plan.stream)
    guard receivers[key] == nil else { throw .expectedAlready }
    receivers[key] = ReceiverBox(TensorReceiver(expectation, limits: limits))
    expectedBytes += bytes
  }

  /// Does not expect tensors any more for which `isOver` says so, and drops what came of them.
  ///
  /// ```swift
  /// inbox.cancel { $0.fence.job == job && $0.fence.attempt < attempt }
  /// ```
  public mutating func cancel(where isOver: (Expectation) -> Bool) {
    for key in receivers.filter({ isOver($0.value.receiver.expected) }).keys { remove(key) }
  }

  public mutating func handle(
    _ chunk: TensorChunk, _ payload: Payload, fence: Fence, from sender: PublicKey?
  ) -> Reaction {
    var fence = fence
    fence.sequence = 0
    let key = Key(fence: fence, stream: chunk.plan.stream)
    let receipt = ChunkReceipt(transfer: chunk.transfer, offset: chunk.offset, window: limits.windowBytes)
    guard let box = receivers[key], box.receiver.expected.sender == nil || box.receiver.expected.sender == sender else {
      return done.contains(Done(key: key, transfer: chunk.transfer, sender: sender))
        ? .acknowledge(receipt) : .unexpected
    }
    switch box.receiver.handle(chunk, payload) {
    case .ignored: return .unexpected
    case .duplicate, .kept: return .acknowledge(receipt)
    case .damaged: return .request(ChunkRequest(transfer: chunk.transfer, offset: chunk.offset))
    case .wrong(let reason): return .refuse(reason)
    case .damagedAgain:
      remove(key)
      return .giveUp("A chunk at byte \(chunk.offset) arrived damaged twice")
    case .complete(let payload):
      remove(key)
      if done.count >= Self.rememberedTensors { done.removeFirst() }
      done.append(Done(key: key, transfer: chunk.transfer, sender: sender))
      return .complete(Arrival(plan: chunk.plan, fence: fence, payload: payload), receipt)
    }
  }

  private mutating func remove(_ key: Key) {
    guard let box = receivers.removeValue(forKey: key) else { return }
    expectedBytes -= box.receiver.expected.plan.byteCount
  }
}
