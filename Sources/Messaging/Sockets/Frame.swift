import CZeroMQ

/// One part of a received message, in the memory into which ZeroMQ read it.
///
/// Unchecked: nothing changes it once it has been received.
final class Frame: @unchecked Sendable {
  let message: UnsafeMutablePointer<zmq_msg_t>

  init() throws(SocketError) {
    message = .allocate(capacity: 1)
    message.initialize(to: zmq_msg_t())
    zmq_msg_init(message)
  }

  deinit {
    zmq_msg_close(message)
    message.deallocate()
  }

  var payload: Payload { Payload(owner: self, start: zmq_msg_data(message), count: zmq_msg_size(message)) }

  /// What the ZAP handler called the peer; nil without a handler.
  var userID: String? { zmq_msg_gets(message, "User-Id").map { String(cString: $0) } }

  /// The descriptor of the connection on which it came; -1 where there is none.
  var descriptor: Int32 { zmq_msg_get(message, ZMQ_SRCFD) }
}
