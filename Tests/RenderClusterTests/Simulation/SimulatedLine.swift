@testable import Messaging

/// The sending end of tensors, as `TensorLine` is, without a socket.
final class SimulatedLine {
  let number: Int
  /// The processes at its ends.
  let sender: Int
  let receiver: Int
  /// As the receiver knows the sender.
  let peer: Peer
  private var transfers: [(fence: Fence, sender: TensorSender)] = []
  private var lastTransfer: UInt64 = 0

  init(number: Int, from sender: Int, to receiver: Int, as name: String, incarnation: UInt64) {
    self.number = number
    peer = Peer(
      name: name, role: sender == 0 ? .coordinator : .worker, key: nil, incarnation: incarnation,
      connection: (0..<4).map { UInt8(truncatingIfNeeded: number >> ($0 * 8)) })
    self.sender = sender
    self.receiver = receiver
  }

  var count: Int { transfers.count }

  func add(_ plan: TensorPlan, _ payload: Payload, fence: Fence) {
    lastTransfer += 1
    transfers.append((fence, TensorSender(transfer: lastTransfer, plan, payload)))
  }

  func drop(where isPointless: (Fence) -> Bool) { transfers.removeAll { isPointless($0.fence) } }

  /// What is to be sent now.
  func due(now: Int64) -> [(Message, Payload)] {
    var messages: [(Message, Payload)] = []
    for index in transfers.indices {
      while let (chunk, bytes) = transfers[index].sender.next(now: now / 1000) {
        transfers[index].sender.sent(chunk, now: now / 1000)
        messages.append((Message(.chunk(chunk), fence: transfers[index].fence), bytes))
      }
    }
    return messages
  }

  func take(_ message: Message, now: Int64) {
    switch message.body {
    case .ack(let receipt):
      guard let index = transfers.firstIndex(where: { $0.sender.transfer == receipt.transfer }) else { return }
      transfers[index].sender.handle(receipt, now: now / 1000)
      if transfers[index].sender.isDone { transfers.remove(at: index) }
    case .current:
      let floor = (message.fence.epoch, message.fence.attempt)
      transfers.removeAll { ($0.fence.epoch, $0.fence.attempt) < floor }
    default: break
    }
  }
}
