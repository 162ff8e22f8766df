/// The sending end of one tensor: which chunk goes next, and which again. A value that is told the time, in milliseconds.
///
/// ```swift
/// while let (chunk, bytes) = sender.next(now: now), send(chunk, bytes) == .sent { sender.sent(chunk, now: now) }
/// ```
/// after each receipt and now and then in between, until ``isDone``.
public struct TensorSender: Sendable {
  private enum ChunkState: Sendable, Hashable {
    case waiting
    case sent(first: Int64, last: Int64)
    case received
  }

  public let transfer: UInt64
  public let plan: TensorPlan
  private let payload: Payload
  private let chunkBytes: Int
  private var window: Int
  private var states: [ChunkState]
  private var checksums: [UInt64?]
  /// Chunks that were sent more than once.
  public private(set) var resends = 0
  /// All senders of a line may have the same.
  public var patience = ResendPatience()
  /// When a chunk was last sent in spite of a closed window.
  private var probed = Int64.min

  /// - Parameters:
  ///   - transfer: a number that this process has not used before.
  ///   - payload: as many bytes as the plan has.
  public init(transfer: UInt64, _ plan: TensorPlan, _ payload: Payload, limits: Limits = Limits()) {
    precondition(payload.count == plan.byteCount, "the bytes are not those of the plan")
    self.transfer = transfer
    self.plan = plan
    self.payload = payload
    chunkBytes = limits.chunkBytes
    window = limits.windowBytes
    let count = (plan.byteCount + chunkBytes - 1) / chunkBytes
    states = Array(repeating: .waiting, count: count)
    checksums = Array(repeating: nil, count: count)
  }

  /// Whether every chunk has arrived.
  public var isDone: Bool { states.allSatisfy { $0 == .received } }

  /// The chunk to send now, if the window allows one.
  public mutating func next(now: Int64) -> (chunk: TensorChunk, bytes: Payload)? {
    if let index = states.firstIndex(where: { isOverdue($0, now: now) }) { return chunk(index) }
    guard let index = states.firstIndex(of: .waiting) else { return nil }
    let onTheirWay = states.indices.reduce(0) { sum, index in
      if case .sent = states[index] { sum + range(index).count } else { sum }
    }
    if onTheirWay + range(index).count <= window { return chunk(index) }
    // The message that opened the window may have been lost.
    let mayProbe = onTheirWay == 0 && (probed == .min || now - probed >= patience.milliseconds)
    return mayProbe ? chunk(index) : nil
  }

  /// Notes that the transport took a chunk.
  public mutating func sent(_ chunk: TensorChunk, now: Int64) {
    guard let index = index(chunk.offset), states[index] != .received else { return }
    var first = now
    if case .sent(let time, _) = states[index] { (first, resends) = (time, resends + 1) }
    states[index] = .sent(first: first, last: now)
    probed = now
  }

  /// Begins again with what has not arrived: the connection was lost, and chunks on their way with it.
  public mutating func startAgain() {
    for index in states.indices { if case .sent = states[index] { states[index] = .waiting } }
  }

  public mutating func handle(_ receipt: ChunkReceipt, now: Int64) {
    guard receipt.transfer == transfer else { return }
    window = receipt.window
    guard let index = index(receipt.offset) else { return }
    if case .sent(let first, _) = states[index] { patience.receive(after: now - first) }
    states[index] = .received
  }

  /// Sends a chunk again that arrived damaged.
  public mutating func handle(_ request: ChunkRequest) {
    guard request.transfer == transfer, let index = index(request.offset), case .sent = states[index] else { return }
    resends += 1
    states[index] = .waiting
  }

  public mutating func handle(_ change: WindowChange) {
    if change.transfer == transfer { window = change.window }
  }

  private func isOverdue(_ state: ChunkState, now: Int64) -> Bool {
    if case .sent(_, let last) = state { now - last >= patience.milliseconds } else { false }
  }

  private func index(_ offset: Int) -> Int? {
    guard offset >= 0, offset < plan.byteCount, offset % chunkBytes == 0 else { return nil }
    return offset / chunkBytes
  }

  private func range(_ index: Int) -> Range<Int> {
    index * chunkBytes..<min(plan.byteCount, (index + 1) * chunkBytes)
  }

  private mutating func chunk(_ index: Int) -> (TensorChunk, Payload) {
    let range = range(index)
    let bytes = payload.slice(range)
    let checksum =
      checksums[index]
      ?? bytes.withBytes { Checksum.of($0, offset: range.lowerBound, total: plan.byteCount) }
    checksums[index] = checksum
    return (TensorChunk(transfer: transfer, plan: plan, offset: range.lowerBound, checksum: checksum), bytes)
  }
}
