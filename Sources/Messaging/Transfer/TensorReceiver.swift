/// The receiving end of one tensor, whose plan it knows before the first chunk.
struct TensorReceiver: ~Copyable {
  let expected: TensorInbox.Expectation
  private let limits: Limits
  /// There from the first good chunk on, as what follows.
  private var memory: PayloadMemory?
  private var transfer: UInt64?
  private var plan: TensorPlan?
  private var hasArrived: [Bool] = []
  private var missing = 0
  /// The chunks whose checksum has been wrong.
  private var damaged: Set<Int> = []

  enum Outcome {
    case ignored
    case duplicate
    case kept
    case complete(Payload)
    case damaged
    case damagedAgain
    case wrong(String)
  }

  init(_ expected: TensorInbox.Expectation, limits: Limits) {
    self.expected = expected
    self.limits = limits
  }

  mutating func handle(_ chunk: TensorChunk, _ payload: Payload) -> Outcome {
    guard plan.map({ chunk.plan == $0 }) ?? expected.takes(chunk.plan) else {
      return .wrong(
        "A tensor of \(chunk.plan.dtype) \(chunk.plan.shape) came, not \(expected.plan.dtype) \(expected.plan.shape)")
    }
    // A second transfer of what one is on its way already.
    guard transfer == nil || transfer == chunk.transfer else { return .ignored }
    guard chunk.offset >= 0, chunk.offset < chunk.plan.byteCount, chunk.offset % limits.chunkBytes == 0,
      payload.count == min(limits.chunkBytes, chunk.plan.byteCount - chunk.offset)
    else { return .wrong("A chunk of \(payload.count) bytes does not belong at byte \(chunk.offset)") }
    let index = chunk.offset / limits.chunkBytes
    guard plan == nil || !hasArrived[index] else { return .duplicate }
    let checksum = payload.withBytes { Checksum.of($0, offset: chunk.offset, total: chunk.plan.byteCount) }
    guard checksum == chunk.checksum else { return damaged.insert(index).inserted ? .damaged : .damagedAgain }
    return keep(payload, index, chunk)
  }

  private mutating func keep(_ payload: Payload, _ index: Int, _ chunk: TensorChunk) -> Outcome {
    let memory = memory ?? PayloadMemory(byteCount: chunk.plan.byteCount)
    if plan == nil {
      missing = (chunk.plan.byteCount + limits.chunkBytes - 1) / limits.chunkBytes
      hasArrived = Array(repeating: false, count: missing)
    }
    (self.memory, transfer, plan) = (memory, chunk.transfer, chunk.plan)
    payload.withBytes { UnsafeMutableRawBufferPointer(rebasing: memory.bytes[chunk.offset...]).copyMemory(from: $0) }
    hasArrived[index] = true
    missing -= 1
    return missing == 0 ? .complete(Payload(memory)) : .kept
  }
}

extension TensorInbox.Expectation {
  fileprivate func takes(_ other: TensorPlan) -> Bool {
    guard takesFewerRows else { return other == plan }
    return other.stream == plan.stream && other.dtype == plan.dtype && other.shape.count == plan.shape.count
      && other.shape[0] <= plan.shape[0] && other.shape.dropFirst() == plan.shape.dropFirst()
  }
}
