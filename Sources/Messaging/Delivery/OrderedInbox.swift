/// Numbered messages from one process, put into their order: each is handed over once, behind all that were sent before it.
///
/// Together with the sender's ``Outbox`` this makes a connection that may break look like one that does not. Numbers of
/// another session are not taken: they belong to what one of the two has given up.
public struct OrderedInbox: Sendable, Equatable {
  /// Messages that may wait for one before them; those beyond are not taken, and sent again.
  public static let maximumWaiting = 256

  private struct Waiting: Sendable, Equatable {
    let message: Message
    let payload: Payload
  }

  private let session: UInt32
  /// The number of the next message.
  private var next: UInt64
  /// In the order of their numbers.
  private var waiting: [Waiting] = []

  public init(session: UInt32 = 0) {
    self.session = session
    next = UInt64(session) << 32 + 1
  }

  /// Takes a message with a number.
  ///
  /// - Returns: whether to acknowledge it, and the messages whose turn it is now.
  public mutating func take(
    _ message: Message, _ payload: Payload
  ) -> (acknowledges: Bool, ready: [(message: Message, payload: Payload)]) {
    let sequence = message.fence.sequence
    guard UInt32(truncatingIfNeeded: sequence >> 32) == session else { return (false, []) }
    guard sequence >= next else { return (true, []) }
    guard sequence - next < UInt64(Self.maximumWaiting) else { return (false, []) }
    let place = waiting.firstIndex { $0.message.fence.sequence >= sequence } ?? waiting.endIndex
    guard place == waiting.endIndex || waiting[place].message.fence.sequence != sequence else { return (true, []) }
    waiting.insert(Waiting(message: message, payload: payload), at: place)
    var ready: [(Message, Payload)] = []
    while let first = waiting.first, first.message.fence.sequence == next {
      ready.append((first.message, first.payload))
      waiting.removeFirst()
      next += 1
    }
    return (true, ready)
  }
}
