/// A server's socket and what it knows of its peers. Only the thread of the sockets has it.
public final class ServerPort {
  private static let routerParts = 3

  private let socket: Socket
  private let codec: EnvelopeCodec
  private let access: AccessControl?
  private let deliver: (ServerEvent, ServerPort) -> Void
  private var peers = PeerDirectory()
  private var strikes: Strikes
  /// Connections that have been told that they may not; they are told once.
  private var told: Set<[UInt8]> = []
  private static let maximumTold = 4096
  private var connections: Connections
  /// Where the socket listens.
  var endpoints: [Endpoint] = []
  public private(set) var counters = ServerCounters()

  init(
    _ socket: Socket, limits: Limits, access: AccessControl?, deliver: @escaping (ServerEvent, ServerPort) -> Void
  ) {
    self.socket = socket
    self.access = access
    self.deliver = deliver
    codec = EnvelopeCodec(limits: limits)
    strikes = Strikes(limits: limits)
    connections = Connections(
      maximumSilent: limits.silentConnections, maximumBytes: limits.undeliveredBytes)
  }

  /// Sends a message to a peer, if that is possible at once. What is full or unreachable is the caller's to send again.
  @discardableResult
  public func send(_ message: Message, _ payload: Payload = .empty, to peer: Peer) -> Socket.SendResult {
    let result = send(message, payload, to: peer.connection)
    if result == .unreachable { forget(peer) }
    return result
  }

  /// Does not hear a peer any more until it says hello again.
  public func forget(_ peer: Peer) { peers.forget(peer.connection) }

  private func send(_ message: Message, _ payload: Payload, to connection: [UInt8]) -> Socket.SendResult {
    (try? socket.send([Payload(connection), Payload(codec.encode(message)), payload])) ?? .unreachable
  }

  func emit(_ event: ServerEvent) { deliver(event, self) }

  // MARK: - Connections

  func take(_ event: SocketEvent, _ descriptor: Int32) {
    switch event {
    case .accepted:
      ConnectionDescriptor.repeatSoon(descriptor)
      if let oldest = connections.began(descriptor, now: MonotonicClock.milliseconds) { cut(oldest) }
    case .disconnected:
      counters.endedConnections += 1
      if let sender = connections.ended(descriptor), let peer = peers.known(at: sender.connection) {
        emit(.disconnected(peer))
      }
    case .refused, .brokenOff: counters.refusedHandshakes += 1
    case .connected, .ready: break
    }
    emit(.connection(event))
  }

  /// Cuts those that take up memory and say nothing; their peers are not heard for some time.
  func watchConnections() {
    let cuts = connections.overdrawn(now: MonotonicClock.milliseconds, received: ConnectionDescriptor.received)
    for overdrawn in cuts {
      if let sender = overdrawn.sender, strikes.quarantine(sender.id, now: Self.seconds) {
        emit(.quarantined(name: sender.name))
      }
      cut(overdrawn)
    }
  }

  private func cut(_ connection: Connections.Cut) {
    counters.cutConnections += 1
    ConnectionDescriptor.cut(connection.descriptor, to: endpoints)
    emit(.cut(name: connection.sender?.name))
  }

  // MARK: - Messages

  /// Takes one message off the socket.
  func receive() throws {
    guard let received = try socket.receive(maximumParts: Self.routerParts) else { return }
    guard let connection = received.parts.first?.payload.bytes else { return }
    let sender: Sender
    if let access {
      // Asked again for every message: ZeroMQ keeps the connection of a key that was taken off the list.
      guard let key = received.parts.last?.userID.flatMap({ PublicKey($0) }), let entry = access.entry(key) else {
        return deny(connection, "This key is not on the list")
      }
      sender = Sender(connection: connection, entry: entry)
    } else {
      sender = Sender(connection: connection, entry: nil)
    }
    // Behind a hello, so that the name is known.
    defer {
      let name = sender.entry?.name ?? peers.known(at: connection)?.name ?? ""
      if let descriptor = received.parts.last?.descriptor {
        connections.spoke(descriptor, Connections.Sender(id: sender.id, name: name, connection: connection))
      }
    }
    guard !strikes.isQuarantined(sender.id, now: Self.seconds) else {
      counters.quarantined += 1
      return
    }
    do throws(MalformedMessage) {
      guard received.count == Self.routerParts else {
        throw MalformedMessage("A message has \(received.count - 1) parts instead of 2", at: 0)
      }
      try read(received.parts[1].payload, received.parts[2].payload, from: sender)
    } catch {
      refuse(error, sender)
    }
  }

  /// Who sent a message, before it is looked at.
  private struct Sender {
    let connection: [UInt8]
    /// Nil on a plain connection.
    let entry: AllowList.Entry?

    /// What strikes are counted by.
    var id: String { entry?.key.text ?? "\(connection)" }
  }

  private func read(_ header: Payload, _ payload: Payload, from sender: Sender) throws(MalformedMessage) {
    let kind = try header.withBytes { bytes throws(MalformedMessage) in try codec.kind(of: bytes) }
    let now = MonotonicClock.milliseconds
    let known = peers.peer(at: sender.connection, now: now)
    if let role = sender.entry?.role ?? known?.role, !role.maySend(kind) {
      return deny(sender.connection, "A \(role.word) may not send \(kind)")
    }
    let message = try header.withBytes { bytes throws(MalformedMessage) in
      try codec.decode(bytes, payloadBytes: payload.count)
    }
    if case .hello(let hello) = message.body { return greet(hello, message, payload, sender, now: now) }
    guard let known else {
      counters.unexpected += 1
      return answer(sender.connection, message, Refusal(.unexpected, "Nobody has said hello on this connection"))
    }
    counters.messages += 1
    deliver(.message(message, payload, from: known), self)
  }

  private func greet(_ hello: Hello, _ message: Message, _ payload: Payload, _ sender: Sender, now: Int64) {
    // A client need not know which kind of client the list has it as.
    if let entry = sender.entry,
      entry.name != hello.name || entry.role != hello.role && !(entry.role.isClient && hello.role == .client)
    {
      return deny(sender.connection, "This key belongs to \(entry.name), \(entry.role.word)")
    }
    let peer = Peer(
      name: hello.name, role: sender.entry?.role ?? hello.role, key: sender.entry?.key, incarnation: hello.incarnation,
      connection: sender.connection)
    switch peers.greet(peer, now: now) {
    case .admitted: break
    case .replaces(let old): deliver(.replaced(old), self)
    case .outdated:
      counters.unexpected += 1
      return answer(sender.connection, message, Refusal(.replaced, "A newer incarnation of \(hello.name) is here"))
    case .full:
      counters.unexpected += 1
      return answer(sender.connection, message, Refusal(.busy, "Too many peers"))
    }
    counters.messages += 1
    deliver(.message(message, payload, from: peer), self)
  }

  private func refuse(_ error: MalformedMessage, _ sender: Sender) {
    counters.malformed += 1
    let name = sender.entry?.name ?? peers.peer(at: sender.connection, now: MonotonicClock.milliseconds)?.name ?? ""
    let refusal = Refusal(.malformed, error.reason, offset: UInt64(error.offset))
    _ = send(Message(.refused(refusal)), .empty, to: sender.connection)
    deliver(.malformed(error, name: name), self)
    strike(sender.id, name: name)
  }

  /// Counts against a peer what only the caller could find wrong, such as a tensor that differs from its plan.
  public func strike(_ peer: Peer) {
    strike(Sender(connection: peer.connection, entry: entry(of: peer)).id, name: peer.name)
  }

  private func entry(of peer: Peer) -> AllowList.Entry? {
    peer.key.map { AllowList.Entry(name: peer.name, role: peer.role, key: $0) }
  }

  private func strike(_ id: String, name: String) {
    if strikes.strike(id, now: Self.seconds) { deliver(.quarantined(name: name), self) }
  }

  private func answer(_ connection: [UInt8], _ message: Message, _ refusal: Refusal) {
    var refusal = refusal
    refusal.acknowledged = message.fence.sequence
    _ = send(Message(.refused(refusal)), .empty, to: connection)
  }

  private func deny(_ connection: [UInt8], _ text: String) {
    counters.denied += 1
    if told.count >= Self.maximumTold { told = [] }
    guard told.insert(connection).inserted else { return }
    _ = send(Message(.refused(Refusal(.denied, text))), .empty, to: connection)
  }

  private static var seconds: Int { Int(MonotonicClock.milliseconds / 1000) }
}
