import Messaging

/// Pictures on their way to clients, in chunks.
struct JobDeliveries {
  private struct Delivery {
    let peer: Peer
    var sender: TensorSender
    let fence: Fence
    /// When the client last acknowledged something, in milliseconds.
    var heard: Int64
  }

  /// A client that takes nothing for so long is gone; it asks again if it comes back.
  private static let patienceMilliseconds: Int64 = 60_000

  private var deliveries: [Delivery] = []
  private var lastTransfer: UInt64 = 0

  /// What was on its way to the same client from the same job is dropped.
  mutating func add(_ bytes: [UInt8], _ fence: Fence, to peer: Peer) {
    deliveries.removeAll { $0.fence.job == fence.job && $0.peer.isSame(as: peer) }
    guard let plan = TensorPlan(fileBytes: bytes.count) else { return }
    lastTransfer += 1
    deliveries.append(
      Delivery(
        peer: peer, sender: TensorSender(transfer: lastTransfer, plan, Payload(file: bytes, for: plan)), fence: fence,
        heard: MonotonicClock.milliseconds))
  }

  mutating func update(_ transfer: UInt64, of peer: Peer, _ change: (inout TensorSender) -> Void) {
    guard let index = deliveries.firstIndex(where: { $0.sender.transfer == transfer && $0.peer.isSame(as: peer) })
    else { return }
    deliveries[index].heard = MonotonicClock.milliseconds
    change(&deliveries[index].sender)
    if deliveries[index].sender.isDone { deliveries.remove(at: index) }
  }

  /// Sends what may be on its way now.
  mutating func pump(_ send: (TensorChunk, Payload, Fence, Peer) -> Void) {
    let now = MonotonicClock.milliseconds
    deliveries.removeAll { now - $0.heard > Self.patienceMilliseconds }
    for index in deliveries.indices {
      while let (chunk, bytes) = deliveries[index].sender.next(now: now) {
        send(chunk, bytes, deliveries[index].fence, deliveries[index].peer)
        deliveries[index].sender.sent(chunk, now: now)
      }
    }
  }
}
