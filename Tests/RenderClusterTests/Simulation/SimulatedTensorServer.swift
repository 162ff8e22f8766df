@testable import Messaging

/// The receiving end of tensors, as `TensorServer` is, without a socket.
final class SimulatedTensorServer {
  private var inbox = TensorInbox()
  private var floor = Fence()
  private var peers = PeerDirectory()

  static func plan(_ stream: WireStream) -> TensorPlan { plans[Int(stream.rawValue)] }
  private static let plans = (0...8).map { number in
    TensorPlan(WireStream(rawValue: UInt32(number)) ?? .image, .float32, shape: [2])!
  }

  func expect(_ stream: WireStream, _ fence: Fence) throws {
    try inbox.expect(.init(Self.plan(stream), fence: fence, sender: nil))
  }

  func cancel(_ stream: WireStream? = nil, where isOver: (Fence) -> Bool) {
    inbox.cancel { (stream == nil || $0.plan.stream == stream) && isOver($0.fence) }
  }

  func raiseFloor(epoch: UInt64, attempt: UInt32) {
    if (floor.epoch, floor.attempt) < (epoch, attempt) { floor = Fence(epoch: epoch, attempt: attempt) }
  }

  /// Whether what comes on a line is listened to: its sender says hello with the first chunk.
  func hears(_ line: SimulatedLine, now: Int64) -> Bool {
    if peers.known(at: line.peer.connection) != nil { return true }
    return switch peers.greet(line.peer, now: now / 1000) {
    case .admitted, .replaces: true
    case .outdated, .full: false
    }
  }

  /// - Returns: the answer, and what has arrived with this chunk.
  func take(_ message: Message, _ payload: Payload) -> (answer: Message?, arrival: TensorInbox.Arrival?) {
    guard case .chunk(let chunk) = message.body else { return (nil, nil) }
    switch inbox.handle(chunk, payload, fence: message.fence, from: nil) {
    case .acknowledge(let receipt): return (Message(.ack(receipt), fence: message.fence), nil)
    case .complete(let arrival, let receipt): return (Message(.ack(receipt), fence: message.fence), arrival)
    case .unexpected:
      let isLate = (message.fence.epoch, message.fence.attempt) < (floor.epoch, floor.attempt)
      return (isLate ? Message(.current, fence: floor) : nil, nil)
    case .request, .giveUp, .refuse: return (nil, nil)
    }
  }
}
