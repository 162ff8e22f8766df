import CZeroMQ

/// What sockets are set to before they bind or connect. The defaults of ZeroMQ would wait for ever at the end of the
/// process, queue a thousand messages to nobody, and take messages of any size.
public struct SocketSettings: Sendable, Hashable {
  /// How long the end waits for what has not been sent, in milliseconds.
  public var lingerMilliseconds: Int32
  /// Messages that are queued for one peer, in each direction.
  public var highWaterMark: Int32
  /// How often a silent connection is asked for a sign of life, and after how long it is cut, in milliseconds.
  public var heartbeatMilliseconds: Int32 = 2_000
  public var heartbeatTimeoutMilliseconds: Int32 = 10_000
  /// How long a handshake may take, in milliseconds.
  public var handshakeMilliseconds: Int32 = 5_000
  /// How long a connection may take, and the first and the longest wait before the next try. The kernel asks again after one
  /// second, and then not before three: so whoever can be reached again is, within four and a half seconds.
  public var connectMilliseconds: Int32 = 3_000
  public var reconnectMilliseconds: Int32 = 100
  public var reconnectMaximumMilliseconds: Int32 = 500
  /// Where the largest frame and the backlog come from.
  public var limits = Limits()

  /// For small messages that must not wait.
  public static let control = SocketSettings(lingerMilliseconds: 0, highWaterMark: 64)
  /// For chunks of tensors. They have a socket of their own, since a heartbeat behind a tensor comes too late.
  public static let tensors = SocketSettings(lingerMilliseconds: 2_000, highWaterMark: 4)

  public init(lingerMilliseconds: Int32, highWaterMark: Int32) {
    self.lingerMilliseconds = lingerMilliseconds
    self.highWaterMark = highWaterMark
  }

  func apply(to socket: Socket) throws(SocketError) {
    try socket.setWide(ZMQ_MAXMSGSIZE, Int64(limits.frameBytes))
    try socket.set(ZMQ_LINGER, lingerMilliseconds)
    try socket.set(ZMQ_SNDHWM, highWaterMark)
    try socket.set(ZMQ_RCVHWM, highWaterMark)
    try socket.set(ZMQ_HEARTBEAT_IVL, heartbeatMilliseconds)
    try socket.set(ZMQ_HEARTBEAT_TIMEOUT, heartbeatTimeoutMilliseconds)
    try socket.set(ZMQ_HEARTBEAT_TTL, heartbeatTimeoutMilliseconds)
    try socket.set(ZMQ_HANDSHAKE_IVL, handshakeMilliseconds)
    try socket.set(ZMQ_CONNECT_TIMEOUT, connectMilliseconds)
    try socket.set(ZMQ_RECONNECT_IVL, reconnectMilliseconds)
    try socket.set(ZMQ_RECONNECT_IVL_MAX, reconnectMaximumMilliseconds)
    try socket.set(ZMQ_TCP_KEEPALIVE, 1)
    try socket.set(ZMQ_BACKLOG, Int32(limits.backlog))
    try socket.set(ZMQ_IMMEDIATE, 1)
    try socket.set(ZMQ_IPV6, 1)
    if socket.kind == .router { try socket.set(ZMQ_ROUTER_MANDATORY, 1) }
  }
}
