import Tensors

@testable import Messaging

/// Chunks of tensors, with limits so small that all of them are met.
enum TransferTarget {
  private static let types: [DType] = [.float32, .bfloat16, .float16, .int32, .uint8]

  private static var limits: Limits {
    var limits = Limits()
    limits.chunkBytes = 16
    limits.tensorBytes = 256
    limits.inboxBytes = 600
    limits.windowBytes = 64
    return limits
  }

  /// Instructions: expect a tensor, take a chunk, or cancel what is expected.
  static func transfer(_ bytes: [UInt8]) {
    var input = FuzzInput(bytes)
    let limits = limits
    var inbox = TensorInbox(limits: limits)
    while !input.isEmpty {
      switch input.byte() % 4 {
      case 0:
        guard let plan = plan(&input) else { continue }
        try? inbox.expect(TensorInbox.Expectation(plan, fence: fence(&input), sender: nil))
      case 1:
        let attempt = UInt32(input.byte() % 4)
        inbox.cancel { $0.fence.attempt < attempt }
      default: take(&input, &inbox)
      }
      demand((0...limits.inboxBytes).contains(inbox.expectedBytes), "\(inbox.expectedBytes) bytes are expected")
    }
    inbox.cancel { _ in true }
    demand(inbox.expectedBytes == 0, "Bytes are expected although nothing is")
  }

  private static func take(_ input: inout FuzzInput, _ inbox: inout TensorInbox) {
    guard let plan = plan(&input) else { return }
    let fence = fence(&input)
    let transfer = UInt64(input.byte() % 4)
    let flags = input.byte()
    // Mostly what the plan demands, or nothing would ever be whole.
    let place = Int(input.byte() % 16) * 16
    let offset = flags & 1 == 0 ? place : Int(truncatingIfNeeded: input.number(Int64.self))
    let count = flags & 2 == 0 ? max(0, min(16, plan.byteCount - place)) : Int(input.byte())
    let payload = Payload(input.part(count) + [])
    let isRight = flags & 4 == 0 && offset >= 0
    let checksum =
      isRight ? payload.withBytes { Checksum.of($0, offset: offset, total: plan.byteCount) } : UInt64(flags)
    let chunk = TensorChunk(transfer: transfer, plan: plan, offset: offset, checksum: checksum)
    if case .complete(let arrival, _) = inbox.handle(chunk, payload, fence: fence, from: nil) {
      demand(arrival.payload.count == arrival.plan.byteCount, "A tensor of another size has arrived")
      demand(arrival.payload.bytes.count == arrival.plan.byteCount, "A tensor of another size has arrived")
      let tensor = Tensor(arrival)
      demand(tensor == nil || tensor?.shape == plan.shape, "A tensor of another shape has arrived")
    }
  }

  private static func fence(_ input: inout FuzzInput) -> Fence {
    let byte = input.byte()
    return Fence(job: UInt64(byte & 3), attempt: UInt32(byte >> 2 & 3))
  }

  private static func plan(_ input: inout FuzzInput) -> TensorPlan? {
    let kind = Int(input.byte())
    let shape = (0..<kind & 7).map { _ in
      let dimension = input.byte()
      // Also such as overflow.
      return dimension < 224 ? Int(dimension) : 1 << (Int(dimension) - 200)
    }
    return TensorPlan(
      kind & 128 == 0 ? .image : .output, types[kind >> 4 & 7 < types.count ? kind >> 4 & 7 : 0], shape: shape)
  }
}
