/// How a server proves and demands identity.
public enum ServerSecurity: Sendable {
  /// CURVE with these keys, for the peers on the list.
  case curve(KeyPair, AccessControl)
  /// None: only on loopback addresses and on ipc sockets in a folder of the permissions 0700. Peers are what they say.
  case plaintext
  /// None, on any address. To be asked for on both ends; ``ServerEvent/insecure`` comes every minute.
  case insecurePlaintext

  func check(_ endpoint: Endpoint) throws {
    switch self {
    case .curve, .insecurePlaintext: break
    case .plaintext:
      guard endpoint.isLocal else { throw SecurityError.plaintext(endpoint) }
      try endpoint.checkFolder()
    }
  }
}

public struct ServerConfiguration: Sendable {
  public var endpoints: [Endpoint]
  public var security: ServerSecurity
  public var settings: SocketSettings
  public var limits: Limits
  /// How often ``ServerEvent/tick(milliseconds:)`` comes; nil: never.
  public var tickMilliseconds: Int?
  /// How often the server attacks itself once it runs, in milliseconds. It always does before it begins.
  public var attackMilliseconds = 600_000
  /// Tells who gets in.
  var attack: @Sendable (Endpoint, PublicKey) async throws -> [SelfAttack.Attacker] = {
    try await SelfAttack.run(on: $0, server: $1)
  }
  /// For how long the thread that answers handshakes may say nothing.
  public var authenticatorMilliseconds = 5_000

  public init(
    endpoints: [Endpoint], security: ServerSecurity, settings: SocketSettings = .control, limits: Limits = Limits(),
    tickMilliseconds: Int? = nil
  ) {
    self.endpoints = endpoints
    self.security = security
    self.settings = settings
    self.limits = limits
    self.tickMilliseconds = tickMilliseconds
  }
}

/// What a server tells, on the thread of its sockets.
public enum ServerEvent: Sendable {
  /// A message of a peer that may send it and has said hello; the hello itself comes this way, too.
  case message(Message, Payload, from: Peer)
  /// A worker came back under a newer incarnation or on a new connection; it is heard there only.
  case replaced(Peer)
  /// A peer sent something that could not be read.
  case malformed(MalformedMessage, name: String)
  /// A peer is not heard for ten minutes.
  case quarantined(name: String)
  case connection(SocketEvent)
  /// The connection of a peer has ended, which the kernel says at once where a process does. The peer may come back on
  /// another connection; and it may have been another's, as descriptors are used again: who acts on this gives the peer time
  /// to be heard.
  case disconnected(Peer)
  /// The time of a clock that only goes forward.
  case tick(milliseconds: Int64)
  /// A connection was cut: too many have not said anything, or it sent bytes without end and no message.
  case cut(name: String?)
  /// Another minute of unprotected messages, the first at the beginning.
  case insecure
  /// The thread that answers handshakes has not answered for seconds: nobody new gets in. Told once each time.
  case authenticatorStalled
  /// The attack on itself was answered; the server has closed its sockets.
  case opened(SecurityError)
  /// A socket failed and is not read any more.
  case failed(String)
}

/// How often things happened, since the server began.
public struct ServerCounters: Sendable, Hashable {
  /// Messages that were handed over.
  public var messages = 0
  public var malformed = 0
  /// Messages of roles that may not send them, and of keys off the list.
  public var denied = 0
  /// Messages of peers in quarantine.
  public var quarantined = 0
  /// Messages of connections without a hello, or that were replaced.
  public var unexpected = 0
  /// Handshakes that failed; strangers, and what does not speak ZeroMQ.
  public var refusedHandshakes = 0
  /// Connections that were cut; see ``ServerEvent/cut(name:)``.
  public var cutConnections = 0
  /// Connections that ended, whoever ended them: ZeroMQ itself does so where a frame is too long.
  public var endedConnections = 0

  public init() {}
}
