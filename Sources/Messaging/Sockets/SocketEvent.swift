import CZeroMQ

/// What happens to the connections of a socket.
public enum SocketEvent: Sendable, Hashable {
  /// A peer has connected; nothing is known about it yet.
  case accepted
  case connected
  /// The handshake is through: messages may go.
  case ready
  /// The handshake failed: another mechanism, a stranger, or no peer of ZeroMQ at all.
  case refused
  /// The connection ended during the handshake and nobody said why: a server with another key, or a peer that is gone.
  case brokenOff
  /// Of a connection on which messages could go, or not yet.
  case disconnected
}

/// Tells the events of a socket; belongs to the socket's thread.
final class SocketMonitor {
  let events: Socket

  /// - Parameter name: unlike that of any other monitor in the context.
  init(_ socket: Socket, named name: String, in context: MessagingContext) throws(SocketError) {
    let address = "inproc://monitor-\(name)"
    guard zmq_socket_monitor(socket.pointer, address, ZMQ_EVENT_ALL) == 0 else {
      throw SocketError("Watching a socket")
    }
    events = try Socket(.pair, in: context, settings: .control)
    try events.connect(address)
  }

  /// The next event, if there is one, and the descriptor of the connection; of events that say none it is -1.
  func next() throws(SocketError) -> (event: SocketEvent, descriptor: Int32)? {
    while let received = try events.receive(maximumParts: 1) {
      let (number, value) =
        received.parts.first?.payload.withBytes { bytes in
          bytes.count >= 6
            ? (bytes.loadUnaligned(as: UInt16.self), bytes.loadUnaligned(fromByteOffset: 2, as: Int32.self)) : (0, -1)
        } ?? (0, -1)
      switch Int32(number) {
      case ZMQ_EVENT_ACCEPTED: return (.accepted, value)
      case ZMQ_EVENT_CONNECTED: return (.connected, value)
      case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return (.ready, -1)
      case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL, ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: return (.refused, -1)
      case ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL: return (.brokenOff, -1)
      case ZMQ_EVENT_DISCONNECTED: return (.disconnected, value)
      default: continue
      }
    }
    return nil
  }
}
