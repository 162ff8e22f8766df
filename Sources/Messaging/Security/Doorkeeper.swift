/// Decides about handshakes: a value that is told the time.
///
/// An address from which too many unlisted keys came is put off for the rest of the minute, without a word in a log. A
/// listed key is never put off, so that a stranger on a shared address cannot lock out those who belong.
struct Doorkeeper: Sendable {
  /// The answer to a handshake: a status of ZAP (ZeroMQ RFC 27).
  enum Answer: Sendable, Hashable {
    case admitted(AllowList.Entry)
    /// 400.
    case unlisted
    /// 300: too many from this address.
    case putOff
  }

  /// Addresses that are remembered; from further ones, unlisted keys are put off at once.
  private static let maximumAddresses = 1024

  private struct Count {
    var since: Int
    var handshakes: Int
  }

  var list: AllowList
  private let unlistedAMinute: Int
  private var counts: [String: Count] = [:]
  /// All handshakes that were not admitted.
  private(set) var refused = 0

  init(_ list: AllowList, limits: Limits) {
    self.list = list
    unlistedAMinute = limits.unlistedHandshakes
  }

  /// - Parameters:
  ///   - now: seconds of a clock that only goes forward.
  ///   - date: seconds since 1970, for the ends of keys.
  mutating func answer(_ key: PublicKey?, from address: String, now: Int, date: Int) -> Answer {
    if let key, let entry = list[key, now: date] { return .admitted(entry) }
    refused += 1
    if counts[address] == nil, counts.count >= Self.maximumAddresses {
      counts = counts.filter { now - $0.value.since < 60 }
      if counts.count >= Self.maximumAddresses { return .putOff }
    }
    var count = counts[address] ?? Count(since: now, handshakes: 0)
    if now - count.since >= 60 { count = Count(since: now, handshakes: 0) }
    count.handshakes += 1
    counts[address] = count
    return count.handshakes > unlistedAMinute ? .putOff : .unlisted
  }
}
