/// A peer as a server knows it: by its key, and where it is now.
public struct Peer: Sendable, Hashable {
  /// Its name on the list; on a plain connection the one it gave itself.
  public var name: String
  public var role: Role
  /// Nil on a plain connection.
  public var key: PublicKey?
  /// The number of this run of the peer's process.
  public var incarnation: UInt64
  /// ZeroMQ's number of the connection.
  public var connection: [UInt8]

  /// Whether it is the same process, on whatever connection.
  public func isSame(as other: Peer) -> Bool {
    (name, key, incarnation) == (other.name, other.key, other.incarnation)
  }
}
