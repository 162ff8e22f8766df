/// Counts the malformed messages of peers: so many within ten minutes, and the peer is not heard for ten minutes. A value
/// that is told the time, in seconds of a clock that only goes forward.
public struct Strikes: Sendable {
  /// Peers that are remembered.
  private static let maximumPeers = 4096

  private struct Record {
    var strikes: [Int] = []
    var quarantinedUntil = Int.min
  }

  private let limits: Limits
  private var records: [String: Record] = [:]

  public init(limits: Limits = Limits()) { self.limits = limits }

  /// Notes a malformed message of `peer`; true if it is quarantined by it.
  public mutating func strike(_ peer: String, now: Int) -> Bool {
    if records[peer] == nil, records.count >= Self.maximumPeers { forgetOld(now: now) }
    var record = records[peer] ?? Record()
    record.strikes = record.strikes.filter { now - $0 < limits.strikeSeconds } + [now]
    let isOut = record.strikes.count >= limits.strikes
    if isOut {
      record.strikes = []
      record.quarantinedUntil = now + limits.quarantineSeconds
    }
    records[peer] = record
    return isOut
  }

  /// Does not hear a peer for the usual time, whatever it did before; true if it was heard until now.
  public mutating func quarantine(_ peer: String, now: Int) -> Bool {
    guard !isQuarantined(peer, now: now) else { return false }
    if records[peer] == nil, records.count >= Self.maximumPeers { forgetOld(now: now) }
    records[peer] = Record(quarantinedUntil: now + limits.quarantineSeconds)
    return true
  }

  public func isQuarantined(_ peer: String, now: Int) -> Bool {
    records[peer].map { now < $0.quarantinedUntil } ?? false
  }

  /// Those behind their time; if that is nobody, all but the quarantined.
  private mutating func forgetOld(now: Int) {
    let limits = limits
    records = records.filter { record in
      now < record.value.quarantinedUntil || record.value.strikes.contains { now - $0 < limits.strikeSeconds }
    }
    if records.count >= Self.maximumPeers { records = records.filter { now < $0.value.quarantinedUntil } }
  }
}
