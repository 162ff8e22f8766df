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
  private let zap: ZAPHandler?
  private let port: LoopConfined<ServerPort>

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
      if case .curve(let keys, _) = configuration.security { try await server.attack(keys.publicKey) }
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
    }
    let port = ServerPort(socket, limits: configuration.limits, access: access, deliver: handler)
    confined.set(port)
    let monitor = try SocketMonitor(socket, named: "server", in: context)
    thread.add(monitor.events) { if let event = try monitor.next() { port.emit(.connection(event)) } }
    thread.add(socket) { try port.receive() }
    thread.whenFailed = { port.emit(.failed("\($0)")) }
    if let interval = configuration.tickMilliseconds {
      thread.every(milliseconds: interval) { port.emit(.tick(milliseconds: MonotonicClock.milliseconds)) }
    }
    if case .insecurePlaintext = configuration.security {
      thread.every(milliseconds: 60_000) { port.emit(.insecure) }
    }
    return try configuration.endpoints.map { endpoint in
      try Endpoint(try socket.bind(endpoint.description), allowAllInterfaces: true)
    }
  }

  private func attack(_ key: PublicKey) async throws {
    for endpoint in endpoints {
      if let attacker = try await SelfAttack.run(on: endpoint, server: key).first {
        throw SecurityError.open(endpoint, attacker)
      }
    }
  }

  /// Repeats the attack, and watches the thread that answers handshakes.
  private func keepWatch(_ configuration: ServerConfiguration) {
    guard case .curve(let keys, _) = configuration.security, let zap else { return }
    let watch = AuthenticatorWatch()
    loop.post { [weak self, port] thread in
      thread.every(milliseconds: 1_000) {
        if watch.isStalled() { port.value?.emit(.authenticatorStalled) }
        zap.loop.post { _ in watch.answered() }
      }
      thread.every(milliseconds: configuration.attackMilliseconds) {
        Task { await self?.attackAgain(keys.publicKey) }
      }
    }
  }

  private func attackAgain(_ key: PublicKey) async {
    do {
      try await attack(key)
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
  private static let patienceMilliseconds: Int64 = 5_000
  private let lastAnswer = Mutex(MonotonicClock.milliseconds)

  func answered() { lastAnswer.withLock { $0 = MonotonicClock.milliseconds } }

  func isStalled() -> Bool { MonotonicClock.milliseconds - lastAnswer.withLock { $0 } > Self.patienceMilliseconds }
}
