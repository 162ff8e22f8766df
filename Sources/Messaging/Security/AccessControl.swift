import Glibc
import Synchronization

/// The allow-list that is in force, for the handshakes and for every message behind them: a key that is taken off the list
/// is not heard any more, although ZeroMQ keeps its connection.
public final class AccessControl: Sendable {
  private let doorkeeper: Mutex<Doorkeeper>

  public init(_ list: AllowList, limits: Limits = Limits()) { doorkeeper = Mutex(Doorkeeper(list, limits: limits)) }

  /// The list in force. A new one counts from the next message on.
  public var list: AllowList {
    get { doorkeeper.withLock { $0.list } }
    set { doorkeeper.withLock { $0.list = newValue } }
  }

  /// Handshakes that were not admitted, since the beginning.
  public var refusedHandshakes: Int { doorkeeper.withLock { $0.refused } }

  /// The entry of a key that is on the list now.
  public func entry(_ key: PublicKey) -> AllowList.Entry? {
    let date = time(nil)
    return doorkeeper.withLock { $0.list[key, now: date] }
  }

  func answer(_ key: PublicKey?, from address: String) -> Doorkeeper.Answer {
    let (now, date) = (Int(MonotonicClock.milliseconds / 1000), time(nil))
    return doorkeeper.withLock { $0.answer(key, from: address, now: now, date: date) }
  }
}

/// The time that only goes forward.
public enum MonotonicClock {
  public static var milliseconds: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }
}
