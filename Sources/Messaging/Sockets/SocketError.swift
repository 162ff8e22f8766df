import CZeroMQ

/// What ZeroMQ did not do.
public struct SocketError: Error, Sendable, Hashable, CustomStringConvertible {
  public let action: String
  /// An `errno`, or one of ZeroMQ's own.
  public let code: Int32

  init(_ action: String, code: Int32 = zmq_errno()) {
    self.action = action
    self.code = code
  }

  public var description: String { "\(action) failed: \(String(cString: zmq_strerror(code)))" }
}
