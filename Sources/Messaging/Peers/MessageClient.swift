import Glibc

/// How a client proves its identity and knows the server's.
public enum ClientSecurity: Sendable {
  /// CURVE; the server's key is pinned.
  case curve(KeyPair, server: PublicKey)
  /// None: only to loopback and ipc addresses.
  case plaintext
  /// None, to any address.
  case insecurePlaintext

  func check(_ endpoint: Endpoint) throws {
    if case .plaintext = self, !endpoint.isLocal { throw SecurityError.plaintext(endpoint) }
  }
}

/// What a client tells, on the thread of its socket.
public enum ClientEvent: Sendable {
  /// The handshake is through; the hello goes first, here, each time.
  case ready
  /// The server did not let it in; it goes on trying.
  case refused
  /// The server ended the handshake without a word, as one that has another key or is killed; it goes on trying.
  case brokenOff
  /// The connection is lost; what was queued is dropped, and it goes on trying.
  case disconnected
  case message(Message, Payload)
  case malformed(MalformedMessage)
  /// The time of a clock that only goes forward.
  case tick(milliseconds: Int64)
  /// Another minute of unprotected messages, the first at the beginning.
  case insecure
  case failed(String)
}

public struct ClientConfiguration: Sendable {
  public var endpoint: Endpoint
  public var security: ClientSecurity
  public var settings: SocketSettings
  public var limits: Limits
  /// How often ``ClientEvent/tick(milliseconds:)`` comes; nil: never.
  public var tickMilliseconds: Int?

  public init(
    endpoint: Endpoint, security: ClientSecurity, settings: SocketSettings = .control, limits: Limits = Limits(),
    tickMilliseconds: Int? = nil
  ) {
    self.endpoint = endpoint
    self.security = security
    self.settings = settings
    self.limits = limits
    self.tickMilliseconds = tickMilliseconds
  }
}

/// A connection to a ``MessageServer``, on a thread of its own: a worker's or client's to the coordinator, a stage's to the
/// next. It connects again by itself.
public final class MessageClient: Sendable {
  private let port: LoopConfined<ClientPort>

  private init(_ port: LoopConfined<ClientPort>) { self.port = port }

  /// Begins to connect; ``ClientEvent/ready`` tells when it has.
  public static func start(
    _ configuration: ClientConfiguration, handler: @escaping @Sendable (ClientEvent, ClientPort) -> Void
  ) async throws -> MessageClient {
    try configuration.security.check(configuration.endpoint)
    let loop = try MessageLoop()
    let port = LoopConfined<ClientPort>(loop)
    do {
      try await loop.run { thread in try open(configuration, thread, port, handler) }
    } catch {
      await loop.stop()
      throw error
    }
    return MessageClient(port)
  }

  private static func open(
    _ configuration: ClientConfiguration, _ thread: LoopThread, _ confined: LoopConfined<ClientPort>,
    _ handler: @escaping @Sendable (ClientEvent, ClientPort) -> Void
  ) throws {
    let context = try MessagingContext()
    var settings = configuration.settings
    settings.limits = configuration.limits
    let socket = try Socket(.dealer, in: context, settings: settings)
    if case .curve(let keys, let server) = configuration.security {
      try CurveSecurity.connect(socket, keys: keys, server: server)
    }
    let monitor = try SocketMonitor(socket, named: "client", in: context)
    let port = ClientPort(socket, thread, limits: configuration.limits, deliver: handler)
    confined.set(port)
    let address = configuration.endpoint.description
    thread.add(monitor.events) {
      guard let (event, descriptor) = try monitor.next() else { return }
      if event == .connected { ConnectionDescriptor.repeatSoon(descriptor) }
      if event == .refused || event == .brokenOff { connectAgain(socket, address, thread) }
      port.take(event)
    }
    thread.add(socket) { try port.receive() }
    thread.whenFailed = { port.emit(.failed("\($0)")) }
    if let interval = configuration.tickMilliseconds {
      thread.every(milliseconds: interval) { port.emit(.tick(milliseconds: MonotonicClock.milliseconds)) }
    }
    if case .insecurePlaintext = configuration.security {
      thread.after(milliseconds: 0) { port.emit(.insecure) }
      thread.every(milliseconds: 60_000) { port.emit(.insecure) }
    }
    try socket.connect(address)
  }

  private static let refusedMilliseconds = 300

  /// ZeroMQ never tries again after a refusal, but whoever is not on a list now may be so later: a stage is enlisted by the
  /// next one when both have their assignments.
  private static func connectAgain(_ socket: Socket, _ address: String, _ thread: LoopThread) {
    thread.after(milliseconds: refusedMilliseconds) { [weak thread] in
      socket.disconnect(address)
      do { try socket.connect(address) } catch { thread?.whenFailed?(error) }
    }
  }

  /// Sends a message from any task.
  public func send(_ message: Message, _ payload: Payload = .empty) async throws -> Socket.SendResult {
    try await withPort { $0.send(message, payload) }
  }

  /// Does something with the port, on its thread, without waiting for it; nothing if it is closed.
  public func post(_ body: @escaping @Sendable (ClientPort) -> Void) { port.post(body) }

  /// Does something with the port, on its thread.
  public func withPort<Value: Sendable>(_ body: @escaping @Sendable (ClientPort) throws -> Value) async throws -> Value
  {
    try await port.use(body)
  }

  /// Closes the socket. Not to be called from the handler, which would wait for itself.
  public func stop() async { await port.end() }
}
