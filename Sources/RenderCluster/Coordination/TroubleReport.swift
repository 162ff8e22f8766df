import Messaging

/// What strangers and peers that misbehave have done, put together once a minute: a log that they could fill would be
/// another weapon. A value that is told the time, in milliseconds.
struct TroubleReport {
  private static let intervalMilliseconds: Int64 = 60_000

  private var counters = ServerCounters()
  private var since: Int64?

  /// A sentence about what has happened since the last one; nil if a minute is not over, or nothing has.
  mutating func text(_ now: ServerCounters, now time: Int64) -> String? {
    guard let since else {
      since = time
      return nil
    }
    guard time - since >= Self.intervalMilliseconds else { return nil }
    defer { (self.since, counters) = (time, now) }
    let counts = [
      ("refused handshakes", now.refusedHandshakes - counters.refusedHandshakes),
      ("malformed messages", now.malformed - counters.malformed),
      ("messages of peers that may not send them", now.denied - counters.denied),
      ("messages of peers in quarantine", now.quarantined - counters.quarantined),
      ("connections cut for their bytes or their silence", now.cutConnections - counters.cutConnections),
    ].filter { $0.1 > 0 }
    guard !counts.isEmpty else { return nil }
    return "In the last minute: " + counts.map { "\($0.1) \($0.0)" }.joined(separator: ", ") + "."
  }
}
