/// The connections to a server's socket, by their descriptors: which of them nobody has been heard on, and which take up
/// memory for messages that never come. A value that is told the time, in milliseconds.
///
/// ZeroMQ has no bound for either. Whoever only connects costs a descriptor until the handshake has lasted too long; and of
/// a message of many parts nothing is handed over before its last one, while its parts pile up in ZeroMQ. So the bytes that
/// the kernel has received of a connection are watched: of one that gives no message, so many are enough.
struct Connections {
  private struct Record {
    /// Whose messages came last; nil before the first.
    var sender: Sender?
    /// Whether a message has come since the bytes were last looked at.
    var hasSpoken = false
    /// What the kernel had received when the last message came, or at the beginning.
    var received: UInt64 = 0
    var since: Int64
  }

  /// A peer as strikes are counted by.
  struct Sender: Hashable {
    let id: String
    let name: String
    /// ZeroMQ's number of the connection, which is never given twice, as descriptors are.
    let connection: [UInt8]
  }

  /// A connection to be cut.
  struct Cut: Hashable {
    let descriptor: Int32
    /// Who is at its other end, if that is known.
    let sender: Sender?
  }

  /// Signs of life and the frames around messages are no messages either.
  private static let allowedBytesPerSecond: Int64 = 4096

  private let maximumSilent: Int
  private let maximumBytes: Int
  private var records: [Int32: Record] = [:]
  /// Those on which no message has come, in the order of their beginnings.
  private var silent: [Int32] = []

  init(maximumSilent: Int, maximumBytes: Int) {
    self.maximumSilent = maximumSilent
    self.maximumBytes = maximumBytes
  }

  var count: Int { records.count }

  /// Somebody has connected.
  ///
  /// - Returns: the connection that has been silent for longest, if there are too many: an honest peer is through with its
  ///   handshake before as many others have come.
  mutating func began(_ descriptor: Int32, now: Int64) -> Cut? {
    ended(descriptor)
    records[descriptor] = Record(since: now)
    silent.append(descriptor)
    guard silent.count > maximumSilent else { return nil }
    let oldest = silent[0]
    ended(oldest)
    return Cut(descriptor: oldest, sender: nil)
  }

  /// A connection has ended. The kernel gives its descriptor to the next one, and what was sent before may be looked at only
  /// then: who spoke last need not be who was cut off, though it nearly always is.
  ///
  /// - Returns: whose messages came last; nil if none have.
  @discardableResult
  mutating func ended(_ descriptor: Int32) -> Sender? {
    silent.removeAll { $0 == descriptor }
    return records.removeValue(forKey: descriptor)?.sender
  }

  /// A message has come; what was sent before it has been handed over.
  mutating func spoke(_ descriptor: Int32, _ sender: Sender) {
    guard records[descriptor] != nil else { return }
    if records[descriptor]?.sender == nil { silent.removeAll { $0 == descriptor } }
    records[descriptor]?.sender = sender
    records[descriptor]?.hasSpoken = true
  }

  /// The connections that have had their bytes without giving a message.
  ///
  /// - Parameter received: the bytes that the kernel has received of a connection since its beginning; nil where it does not
  ///   say.
  mutating func overdrawn(now: Int64, received: (Int32) -> UInt64?) -> [Cut] {
    var cuts: [Cut] = []
    for descriptor in records.keys.sorted() {
      guard var record = records[descriptor], let count = received(descriptor) else { continue }
      if record.hasSpoken {
        (record.hasSpoken, record.received, record.since) = (false, count, now)
        records[descriptor] = record
        continue
      }
      let allowed = Int64(maximumBytes) + (now - record.since) / 1000 * Self.allowedBytesPerSecond
      guard count > record.received, count - record.received > UInt64(max(0, allowed)) else { continue }
      cuts.append(Cut(descriptor: descriptor, sender: record.sender))
      ended(descriptor)
    }
    return cuts
  }
}
