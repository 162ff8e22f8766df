/// What a peer is; it comes from the allow-list, not from the peer.
public enum Role: UInt32, Sendable, Hashable, CaseIterable {
  case worker = 1
  case client = 2
  /// A client that may also end the jobs of others.
  case admin = 3
  /// May ask for the status, and nothing else.
  case observer = 4
  /// Never on an allow-list: workers and clients pin its key.
  case coordinator = 5

  /// The word in an allow-list; nil for a role that stands in none.
  public init?(word: some StringProtocol) {
    switch word {
    case "worker": self = .worker
    case "client": self = .client
    case "admin": self = .admin
    case "observer": self = .observer
    default: return nil
    }
  }

  /// Whether it is one of those that ask for something.
  var isClient: Bool { self == .client || self == .admin || self == .observer }

  public var word: String { "\(self)" }

  /// Whether a peer of this role may send messages of `kind` at all.
  public func maySend(_ kind: MessageKind) -> Bool {
    switch kind {
    case .hello, .heartbeat: true
    case .refused, .current, .received: self != .observer
    case .ready, .failed, .held, .stepDone, .taskDone: self == .worker
    case .chunk, .snapshot: self == .worker || self == .coordinator
    // A client takes its pictures in chunks.
    case .ack, .resend, .credit: self != .observer
    case .status: self == .client || self == .admin || self == .observer || self == .coordinator
    case .jobs: self == .client || self == .admin || self == .coordinator
    case .submit, .cancel, .fetch: self == .client || self == .admin
    case .welcome, .assign, .openSample, .closeSample, .stepBegin, .takeSnapshot, .task, .accepted,
      .event, .done:
      self == .coordinator
    // A worker asks to be let go.
    case .release: self == .coordinator || self == .worker
    }
  }
}
