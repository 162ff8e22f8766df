import Glibc
import Synchronization

/// Listens for peers, on a thread of its own: the coordinator for workers and clients, a worker for chunks of tensors.
///
/// What comes from peers that may send it is handed to a closure on that thread, with a ``ServerPort`` to answer; while
/// the closure works, further messages wait in ZeroMQ's bounded queues. Strangers, malformed messages and peers that
/// misbehave are dealt with before.
public final class MessageServer: Sendable {
  /// Where it listens, with the ports that the system chose.
  public let endpoints: [Endpoint]
  private let loop: MessageLoop
  /// The thread that answers handshakes.
  let zap: ZAPHandler?
  private let port: LoopConfined<ServerPort>

  /// A fast peer sends some tens of megabytes in this time, gigabytes a second on the same machine.
  private static let watchMilliseconds = 20

  private init(endpoints: [Endpoint], loop: MessageLoop, zap: ZAPHandler?, port: LoopConfined<ServerPort>) {
    self.endpoints = endpoints
    self.loop = loop
    self.zap = zap
    self.port = port
  }

  /// Begins to listen, and attacks itself before it returns.
  ///
  /// - Throws: ``SecurityError`` for an address that is not to be served so, or if a stranger would get in;
  ///   ``EndpointError``; ``SocketError``.
  public static func start(
    _ configuration: ServerConfiguration, handler: @escaping @Sendable (ServerEvent, ServerPort) -> Void
  ) async throws -> MessageServer {
    for endpoint in configuration.endpoints { try configuration.security.check(endpoint) }
    let context = try MessagingContext()
    var zap: ZAPHandler?
    // Before anything listens: without a handler everybody would get in.
    if case .curve(_, let access) = configuration.security { zap = try await ZAPHandler.start(access, in: context) }
    let loop = try MessageLoop()
    let port = LoopConfined<ServerPort>(loop)
    do {
      let endpoints = try await loop.run { thread in
        try open(configuration, in: context, thread, port, handler)
      }
      let server = MessageServer(endpoints: endpoints, loop: loop, zap: zap, port: port)
      try await server.attack(configuration)
      server.keepWatch(configuration)
      return server
    } catch {
      await loop.stop()
      await zap?.loop.stop()
      throw error
    }
  }

  private static func open(
    _ configuration: ServerConfiguration, in context: MessagingContext, _ thread: LoopThread,
    _ confined: LoopConfined<ServerPort>,
    _ handler: @escaping @Sendable (ServerEvent, ServerPort) -> Void
  ) throws -> [Endpoint] {
    var settings = configuration.settings
    settings.limits = configuration.limits
    let socket = try Socket(.router, in: context, settings: settings)
    var access: AccessControl?
    if case .curve(let keys, let control) = configuration.security {
      try CurveSecurity.serve(socket, keys: keys)
      access = control
    } else {
      try CurveSecurity.serveOpenly(socket)
    }
    let port = ServerPort(socket, limits: configuration.limits, access: access, deliver: handler)
    confined.set(port)
    let monitor = try SocketMonitor(socket, named: "server", in: context)
    // All that there are: a connection is known before its first message is.
    thread.add(monitor.events) {
      while let (event, descriptor) = try monitor.next() { port.take(event, descriptor) }
    }
    thread.every(milliseconds: watchMilliseconds) { port.watchConnections() }
    thread.add(socket) { try port.receive() }
    thread.whenFailed = { port.emit(.failed("\($0)")) }
    if let interval = configuration.tickMilliseconds {
      thread.every(milliseconds: interval) { port.emit(.tick(milliseconds: MonotonicClock.milliseconds)) }
    }
    if case .insecurePlaintext = configuration.security {
      thread.after(milliseconds: 0) { port.emit(.insecure) }
      thread.every(milliseconds: 60_000) { port.emit(.insecure) }
    }
    port.endpoints = try configuration.endpoints.map { endpoint in
      try Endpoint(try socket.bind(endpoint.description), allowAllInterfaces: true)
    }
    return port.endpoints
  }

  private func attack(_ configuration: ServerConfiguration) async throws {
    guard case .curve(let keys, _) = configuration.security else { return }
    for endpoint in endpoints {
      if let attacker = try await configuration.attack(endpoint, keys.publicKey).first {
        throw SecurityError.open(endpoint, attacker)
      }
    }
  }

  /// Repeats the attack, and watches the thread that answers handshakes.
  private func keepWatch(_ configuration: ServerConfiguration) {
    guard let zap else { return }
    let watch = AuthenticatorWatch(patienceMilliseconds: Int64(configuration.authenticatorMilliseconds))
    loop.post { [weak self, port] thread in
      thread.every(milliseconds: min(1_000, configuration.authenticatorMilliseconds / 2)) {
        if watch.hasStalled() { port.value?.emit(.authenticatorStalled) }
        zap.loop.post { _ in watch.answered() }
      }
      thread.every(milliseconds: configuration.attackMilliseconds) {
        Task { await self?.attackAgain(configuration) }
      }
    }
  }

  private func attackAgain(_ configuration: ServerConfiguration) async {
    do {
      try await attack(configuration)
    } catch let error as SecurityError {
      loop.post { [port] _ in port.value?.emit(.opened(error)) }
      await stop()
    } catch {
      // The attack itself could not be made, for want of descriptors, say; the next one may.
    }
  }

  /// Sends a message from any task.
  public func send(_ message: Message, _ payload: Payload = .empty, to peer: Peer) async throws -> Socket.SendResult {
    try await withPort { $0.send(message, payload, to: peer) }
  }

  /// Does something with the port, on its thread, without waiting for it; nothing if it is closed.
  public func post(_ body: @escaping @Sendable (ServerPort) -> Void) { port.post(body) }

  /// Does something with the port, on its thread.
  public func withPort<Value: Sendable>(_ body: @escaping @Sendable (ServerPort) throws -> Value) async throws -> Value
  {
    try await port.use(body)
  }

  /// Closes the sockets. Not to be called from the handler, which would wait for itself.
  public func stop() async {
    await port.end()
    await zap?.loop.stop()
  }
}

/// Whether the thread that answers handshakes still does; otherwise even good peers wait for ever, without an event.
private final class AuthenticatorWatch: Sendable {
  private struct State {
    var lastAnswer = MonotonicClock.milliseconds
    var wasTold = false
  }

  private let patienceMilliseconds: Int64
  private let state = Mutex(State())

  init(patienceMilliseconds: Int64) { self.patienceMilliseconds = patienceMilliseconds }

  func answered() { state.withLock { $0 = State() } }

  /// Once each time.
  func hasStalled() -> Bool {
    state.withLock { state in
      let isSilent = MonotonicClock.milliseconds - state.lastAnswer > patienceMilliseconds
      defer { state.wasTold = isSilent }
      return isSilent && !state.wasTold
    }
  }
}
