import CZeroMQ

/// Sets up CURVE on a socket, before it binds or connects.
enum CurveSecurity {
  /// `ZMQ_ZAP_ENFORCE_DOMAIN`. zmq.h has it among the drafts, but the library takes it; without it, a server with no
  /// handler lets everybody in.
  private static let enforceDomain: Int32 = 93

  static func serve(_ socket: Socket, keys: KeyPair) throws {
    try socket.set(ZMQ_CURVE_SERVER, 1)
    try socket.set(ZMQ_CURVE_SECRETKEY, keys.secretKey.text)
    try socket.set(ZMQ_ZAP_DOMAIN, ZAPHandler.domain)
    try socket.set(enforceDomain, 1)
    guard try socket.get(enforceDomain) == 1, try socket.get(ZMQ_CURVE_SERVER) == 1,
      try socket.get(ZMQ_MECHANISM) == ZMQ_CURVE
    else { throw SecurityError.notEnforced }
  }

  /// Sends away who speaks ZMTP 1 or 2, on a socket without keys: libzmq 4.3.4 ends the process when the name with which
  /// these begin comes while the socket is being closed (`process_routing_id_msg` in zmtp_engine.cpp asserts that it can
  /// still be handed over). It speaks no version before 3 where there is a domain; without a handler all others get in.
  static func serveOpenly(_ socket: Socket) throws { try socket.set(ZMQ_ZAP_DOMAIN, ZAPHandler.domain) }

  static func connect(_ socket: Socket, keys: KeyPair, server: PublicKey) throws {
    try socket.set(ZMQ_CURVE_SERVERKEY, server.text)
    try socket.set(ZMQ_CURVE_PUBLICKEY, keys.publicKey.text)
    try socket.set(ZMQ_CURVE_SECRETKEY, keys.secretKey.text)
    guard try socket.get(ZMQ_MECHANISM) == ZMQ_CURVE else { throw SecurityError.notEnforced }
  }
}

/// Why a server does not start, or stops.
public enum SecurityError: Error, Sendable, Hashable, CustomStringConvertible {
  /// This build of ZeroMQ does not keep what CURVE needs.
  case notEnforced
  /// Without keys only ipc and loopback addresses are used.
  case plaintext(Endpoint)
  /// The attack on the own address was answered.
  case open(Endpoint, SelfAttack.Attacker)

  public var description: String {
    switch self {
    case .notEnforced: "This build of ZeroMQ does not enforce its allow-list; nothing is served with it"
    case .plaintext(let endpoint):
      "\(endpoint) needs keys: without them only ipc:// and 127.0.0.1 are served, or everything with --insecure-plaintext"
    case .open(let endpoint, let attacker): "\(endpoint) lets in \(attacker); nothing is served there"
    }
  }
}
