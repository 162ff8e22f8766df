/// The peers that have said hello, by connection. A value that is told the time, in milliseconds.
///
/// A worker is here once: the newest incarnation of its key wins, whatever connection it is on. Others may have several
/// connections.
public struct PeerDirectory: Sendable {
  public enum Greeting: Sendable, Hashable {
    case admitted
    /// Admitted; the connection of this peer is heard no more.
    case replaces(Peer)
    /// There is a newer incarnation.
    case outdated
    /// Too many peers.
    case full
  }

  private struct Record {
    var peer: Peer
    var heard: Int64
  }

  /// After this time without a word, a peer gives way when there are too many.
  private static let silenceMilliseconds: Int64 = 60_000

  public static let maximumPeers = 4096

  private let maximumPeers: Int
  private var records: [[UInt8]: Record] = [:]
  /// The connection of each worker.
  private var workers: [String: [UInt8]] = [:]

  public init(maximumPeers: Int = Self.maximumPeers) { self.maximumPeers = maximumPeers }

  public mutating func greet(_ peer: Peer, now: Int64) -> Greeting {
    var replaced: Peer?
    if peer.role == .worker, let connection = workers[peer.name], let old = records[connection]?.peer {
      guard peer.incarnation >= old.incarnation else { return .outdated }
      if connection != peer.connection { replaced = old }
    }
    if let replaced { forget(replaced.connection) }
    forget(peer.connection)
    if records.count >= maximumPeers { forgetSilent(now: now) }
    guard records.count < maximumPeers else { return .full }
    records[peer.connection] = Record(peer: peer, heard: now)
    if peer.role == .worker { workers[peer.name] = peer.connection }
    return replaced.map { .replaces($0) } ?? .admitted
  }

  /// Who is at the other end of a connection; nil before its hello. Counts as a sign of life.
  public mutating func peer(at connection: [UInt8], now: Int64) -> Peer? {
    records[connection]?.heard = now
    return records[connection]?.peer
  }

  /// Who is, or was, at the other end of a connection; no sign of life.
  func known(at connection: [UInt8]) -> Peer? { records[connection]?.peer }

  public mutating func forget(_ connection: [UInt8]) {
    guard let peer = records.removeValue(forKey: connection)?.peer else { return }
    if workers[peer.name] == connection { workers[peer.name] = nil }
  }

  private mutating func forgetSilent(now: Int64) {
    for (connection, record) in records where now - record.heard > Self.silenceMilliseconds { forget(connection) }
  }
}
