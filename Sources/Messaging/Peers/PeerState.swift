/// How far a peer is with the coordinator, and what it may send there: the table in `Proto/clusca.proto`, section 3.
public enum PeerState: Sendable, Hashable, CaseIterable {
  /// Connected; has not said who it is.
  case greeting
  /// Welcome, without a stage.
  case admitted
  /// Loads a stage.
  case assigned
  /// Computes.
  case ready

  /// Whether a message of `kind` is expected from a peer of `role` now. What is not is dropped, without a strike: it may
  /// have been sent before the peer knew.
  public func expects(_ kind: MessageKind, from role: Role) -> Bool {
    guard role.maySend(kind) else { return false }
    return switch kind {
    case .hello: true
    case .heartbeat, .received, .refused, .current: self != .greeting
    case .submit, .status, .cancel, .jobs, .fetch: self != .greeting && role != .worker
    case .ready, .failed: self == .assigned || self == .ready
    case .stepDone, .chunk, .ack, .resend, .credit: self == .ready
    default: false
    }
  }
}
