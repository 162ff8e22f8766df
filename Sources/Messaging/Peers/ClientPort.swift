/// A client's socket. Only the thread of the socket has it.
public final class ClientPort {
  private let socket: Socket
  private unowned let thread: LoopThread
  private let codec: EnvelopeCodec
  private let deliver: (ClientEvent, ClientPort) -> Void
  /// Messages that wait for the socket: right behind the handshake it cannot be written yet.
  private var waiting: [[Payload]] = []
  private let maximumWaiting = 64
  /// Whether the handshake is through.
  public private(set) var isReady = false

  init(
    _ socket: Socket, _ thread: LoopThread, limits: Limits, deliver: @escaping (ClientEvent, ClientPort) -> Void
  ) {
    self.socket = socket
    self.thread = thread
    self.deliver = deliver
    codec = EnvelopeCodec(limits: limits)
  }

  /// Sends a message, now or when the socket can be written. `full` without a connection or when many messages wait.
  @discardableResult
  public func send(_ message: Message, _ payload: Payload = .empty) -> Socket.SendResult {
    guard isReady, waiting.count < maximumWaiting else { return .full }
    waiting.append([Payload(codec.encode(message)), payload])
    return flush()
  }

  private func flush() -> Socket.SendResult {
    while let parts = waiting.first {
      let result = try? socket.send(parts)
      if result == .full { break }
      waiting.removeFirst()
      guard result == .sent else { return .unreachable }
    }
    thread.whenWritable(socket, waiting.isEmpty ? nil : { [unowned self] in _ = flush() })
    return .sent
  }

  func take(_ event: SocketEvent) {
    switch event {
    case .ready:
      isReady = true
      emit(.ready)
    case .refused: emit(.refused)
    case .brokenOff: emit(.brokenOff)
    case .disconnected:
      guard isReady else { return }
      isReady = false
      // What is for the old connection must not be the first thing on the new one.
      waiting = []
      emit(.disconnected)
    case .accepted, .connected: break
    }
  }

  func receive() throws {
    guard let received = try socket.receive(maximumParts: 2) else { return }
    do throws(MalformedMessage) {
      guard received.count == 2 else {
        throw MalformedMessage("A message has \(received.count) parts instead of 2", at: 0)
      }
      let payload = received.parts[1].payload
      let message = try received.parts[0].payload.withBytes { bytes throws(MalformedMessage) in
        try codec.decode(bytes, payloadBytes: payload.count)
      }
      emit(.message(message, payload))
    } catch {
      emit(.malformed(error))
    }
  }

  func emit(_ event: ClientEvent) { deliver(event, self) }
}
