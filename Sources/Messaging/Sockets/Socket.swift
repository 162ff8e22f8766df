import CZeroMQ
import Glibc

/// A socket of ZeroMQ. It belongs to the thread that made it; that it is not `Sendable` keeps it there.
public final class Socket {
  public enum Kind: Sendable {
    /// Many peers; each message begins with the routing id of one.
    case router
    /// One peer.
    case dealer
    /// Answers request by request.
    case reply
    /// One peer within the process.
    case pair

    fileprivate var number: Int32 {
      switch self {
      case .router: ZMQ_ROUTER
      case .dealer: ZMQ_DEALER
      case .reply: ZMQ_REP
      case .pair: ZMQ_PAIR
      }
    }
  }

  /// What became of a message.
  public enum SendResult: Sendable, Hashable {
    /// ZeroMQ has taken it, which does not mean that it arrives.
    case sent
    /// The queue to the peer is full, or no peer is there yet.
    case full
    /// There is no such peer.
    case unreachable
  }

  public let kind: Kind
  let pointer: UnsafeMutableRawPointer
  private let context: MessagingContext
  private var settingsFrozen = false

  /// A socket with all options set but those of security; see ``CurveSecurity`` for these.
  public init(_ kind: Kind, in context: MessagingContext, settings: SocketSettings) throws(SocketError) {
    guard let pointer = zmq_socket(context.pointer, kind.number) else { throw SocketError("Making a socket") }
    self.kind = kind
    self.pointer = pointer
    self.context = context
    try settings.apply(to: self)
  }

  deinit { zmq_close(pointer) }

  func set(_ option: Int32, _ value: Int32) throws(SocketError) { try setValue(option, value) }

  func setWide(_ option: Int32, _ value: Int64) throws(SocketError) { try setValue(option, value) }

  private func setValue<Value: BitwiseCopyable>(_ option: Int32, _ value: Value) throws(SocketError) {
    precondition(!settingsFrozen, "ZeroMQ ignores most options of a socket that is bound or connected")
    let result = withUnsafeBytes(of: value) { zmq_setsockopt(pointer, option, $0.baseAddress, $0.count) }
    guard result == 0 else { throw SocketError("Setting option \(option) of a socket") }
  }

  func set(_ option: Int32, _ text: String) throws(SocketError) {
    precondition(!settingsFrozen, "ZeroMQ ignores most options of a socket that is bound or connected")
    guard text.withCString({ zmq_setsockopt(pointer, option, $0, strlen($0)) }) == 0 else {
      throw SocketError("Setting option \(option) of a socket")
    }
  }

  func get(_ option: Int32) throws(SocketError) -> Int32 {
    var value: Int32 = 0
    var size = MemoryLayout<Int32>.size
    guard zmq_getsockopt(pointer, option, &value, &size) == 0 else {
      throw SocketError("Reading option \(option) of a socket")
    }
    return value
  }

  /// Binds and returns the address with the port that was chosen for port 0.
  @discardableResult
  func bind(_ address: String) throws(SocketError) -> String {
    settingsFrozen = true
    guard zmq_bind(pointer, address) == 0 else { throw SocketError("Listening on \(address)") }
    var text = [CChar](repeating: 0, count: 512)
    var size = text.count
    guard zmq_getsockopt(pointer, ZMQ_LAST_ENDPOINT, &text, &size) == 0 else {
      throw SocketError("Reading the address of a socket")
    }
    return text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? address }
  }

  /// Ends the connection to an address, and the trying to make one; nothing if there is none.
  func disconnect(_ endpoint: String) { zmq_disconnect(pointer, endpoint) }

  func connect(_ address: String) throws(SocketError) {
    settingsFrozen = true
    guard zmq_connect(pointer, address) == 0 else { throw SocketError("Connecting to \(address)") }
  }

  /// Sends a message of one or more parts if that is possible at once. Large parts are not copied; their memory is kept
  /// until they have been sent.
  public func send(_ parts: [Payload]) throws(SocketError) -> SendResult {
    for (index, part) in parts.enumerated() {
      let flags = ZMQ_DONTWAIT | (index < parts.count - 1 ? ZMQ_SNDMORE : 0)
      guard let code = try send(part, flags: flags) else { continue }
      switch code {
      case EAGAIN: return .full
      // The peer went away, perhaps between two parts; ZeroMQ drops the others.
      case EHOSTUNREACH: return .unreachable
      default: throw SocketError("Sending", code: code)
      }
    }
    return .sent
  }

  /// The error of sending a part; nil if there is none.
  private func send(_ part: Payload, flags: Int32) throws(SocketError) -> Int32? {
    var message = zmq_msg_t()
    try Self.initialise(&message, part)
    while zmq_msg_send(&message, pointer, flags) < 0 {
      let code = zmq_errno()
      if code == EINTR { continue }
      zmq_msg_close(&message)
      return code
    }
    return nil
  }

  private static func initialise(_ message: inout zmq_msg_t, _ part: Payload) throws(SocketError) {
    // Below this a copy costs less than the count of references.
    guard part.count >= 4096 else {
      guard zmq_msg_init_size(&message, part.count) == 0 else { throw SocketError("Making a message") }
      part.withBytes { bytes in
        if let start = bytes.baseAddress { memcpy(zmq_msg_data(&message), start, bytes.count) }
      }
      return
    }
    let (bytes, owner) = part.retained()
    let result = zmq_msg_init_data(
      &message, UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count,
      { _, owner in Payload.release(owner) }, owner)
    guard result == 0 else {
      Payload.release(owner)
      throw SocketError("Making a message")
    }
  }

  /// The parts of a message.
  struct Received {
    /// The first parts, at most as many as were asked for.
    var parts: [Frame]
    /// All parts, those that were dropped included.
    var count: Int
  }

  /// The next message, if there is one. Parts behind `maximumParts` are dropped one by one.
  func receive(maximumParts: Int) throws(SocketError) -> Received? {
    var received = Received(parts: [], count: 0)
    while true {
      let frame = try Frame()
      guard zmq_msg_recv(frame.message, pointer, ZMQ_DONTWAIT) >= 0 else {
        switch zmq_errno() {
        case EINTR: continue
        case EAGAIN where received.count == 0: return nil
        default: throw SocketError("Receiving")
        }
      }
      received.count += 1
      if received.parts.count < maximumParts { received.parts.append(frame) }
      if zmq_msg_more(frame.message) == 0 { return received }
    }
  }
}
