/// Numbered messages to one process that wait for their acknowledgement. A value that is told the time, in milliseconds.
///
/// The transport loses what was on its way when a connection breaks; only an acknowledgement tells that a message arrived.
/// The upper half of a number is the session, so that what is late from one is not mistaken for a message of the next.
public struct Outbox: Sendable, Equatable {
  /// After this time without an acknowledgement, a message is sent again.
  public static let patienceMilliseconds: Int64 = 1_000

  private struct Entry: Sendable, Equatable {
    let message: Message
    let payload: Payload
    var sent: Int64
  }

  private var entries: [Entry] = []
  private var last: UInt64

  public init(session: UInt32 = 0) { last = UInt64(session) << 32 }

  public var isEmpty: Bool { entries.isEmpty }
  public var count: Int { entries.count }

  /// Gives a message its number and keeps it; the caller sends what is returned.
  public mutating func add(_ message: Message, _ payload: Payload, now: Int64) -> Message {
    last += 1
    var message = message
    message.fence.sequence = last
    entries.append(Entry(message: message, payload: payload, sent: now))
    return message
  }

  /// A message has arrived.
  public mutating func acknowledge(_ sequence: UInt64) { entries.removeAll { $0.message.fence.sequence == sequence } }

  /// Those that have waited too long, in their order; the caller sends them again.
  public mutating func overdue(now: Int64) -> [(message: Message, payload: Payload)] {
    var due: [(Message, Payload)] = []
    for index in entries.indices where now - entries[index].sent >= Self.patienceMilliseconds {
      entries[index].sent = now
      due.append((entries[index].message, entries[index].payload))
    }
    return due
  }

  /// Lets go of messages that have no point any more.
  public mutating func drop(where isPointless: (Message) -> Bool) { entries.removeAll { isPointless($0.message) } }
}
