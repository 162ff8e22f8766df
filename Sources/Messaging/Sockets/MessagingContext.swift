import CZeroMQ

/// A set of sockets with a thread of ZeroMQ's own behind them. Its end waits for messages that sockets still have to send,
/// as long as they linger.
///
/// Unchecked: a context of ZeroMQ may be used from any thread.
public final class MessagingContext: @unchecked Sendable {
  let pointer: UnsafeMutableRawPointer

  public init() throws(SocketError) {
    guard let pointer = zmq_ctx_new() else { throw SocketError("Beginning with ZeroMQ") }
    self.pointer = pointer
  }

  // Sockets keep their context, so none is open here.
  deinit { while zmq_ctx_term(pointer) != 0 && zmq_errno() == EINTR {} }
}
