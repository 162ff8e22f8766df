import CZeroMQ

@testable import Messaging

/// A server that answers every hello with welcome and every status with status.
final class TestServer: Sendable {
  let server: MessageServer
  let log: EventLog<ServerEvent>
  var endpoint: Endpoint { server.endpoints[0] }

  init(
    _ security: ServerSecurity, at endpoint: String = "tcp://127.0.0.1:0", limits: Limits = Limits(),
    _ change: (inout ServerConfiguration) -> Void = { _ in }
  ) async throws {
    let log = EventLog<ServerEvent>()
    var configuration = ServerConfiguration(endpoints: [try Endpoint(endpoint)], security: security, limits: limits)
    change(&configuration)
    server = try await MessageServer.start(configuration) { event, port in
      if case .message(let message, _, let peer) = event {
        switch message.body {
        case .hello: port.send(Message(.welcome(Welcome(build: "test", leaseMilliseconds: 1))), to: peer)
        case .status: port.send(Message(.status, fence: message.fence), Payload("{}"), to: peer)
        default: break
        }
      }
      log.add(event)
    }
    self.log = log
  }

  var counters: ServerCounters { get async throws { try await server.withPort { $0.counters } } }

  /// The peer of that name that has said hello.
  func peer(_ name: String) async throws -> Peer? {
    let event = try await log.first { if case .message(_, _, let peer) = $0 { peer.name == name } else { false } }
    if case .message(_, _, let peer) = event { return peer }
    return nil
  }
}

/// A client that says hello whenever it is connected.
final class TestClient: Sendable {
  let client: MessageClient
  let log: EventLog<ClientEvent>

  init(
    _ security: ClientSecurity, to endpoint: Endpoint, name: String, role: Role = .client, incarnation: UInt64 = 1,
    saysHello: Bool = true
  ) async throws {
    let log = EventLog<ClientEvent>()
    let hello = Hello(build: "test", role: role, name: name, incarnation: incarnation)
    let configuration = ClientConfiguration(endpoint: endpoint, security: security)
    client = try await MessageClient.start(configuration) { event, port in
      if case .ready = event, saysHello { port.send(Message(.hello(hello))) }
      log.add(event)
    }
    self.log = log
  }

  func send(_ body: MessageBody, _ payload: Payload = .empty, sequence: UInt64 = 1) async throws -> Socket.SendResult {
    try await client.send(Message(body, fence: Fence(sequence: sequence)), payload)
  }

  /// The first message of a kind, among the events behind the first `skipping`.
  func message(_ kind: MessageKind, skipping count: Int = 0) async throws -> (Message, Payload) {
    let event = try await log.first(skipping: count) {
      if case .message(let message, _) = $0 { message.kind == kind } else { false }
    }
    guard case .message(let message, let payload) = event else { preconditionFailure("the event is a message") }
    return (message, payload)
  }

  func refusal(skipping count: Int = 0) async throws -> Refusal? {
    if case .refused(let refusal) = try await message(.refused, skipping: count).0.body { refusal } else { nil }
  }

  /// Whether the server answers.
  func isAnswered(sequence: UInt64) async throws -> Bool {
    try await ready()
    _ = try await send(.status, sequence: sequence)
    _ = try await log.first {
      if case .message(let message, _) = $0 {
        message.kind == .status && message.fence.sequence == sequence
      } else {
        false
      }
    }
    return true
  }

  func ready() async throws {
    _ = try await log.first { if case .ready = $0 { true } else { false } }
  }

  func refusedHandshake() async throws {
    _ = try await log.first { if case .refused = $0 { true } else { false } }
  }
}

/// A socket of ZeroMQ without any of this package's rules, on a thread of its own: an enrolled peer gone bad.
final class RawPeer: Sendable {
  let loop: MessageLoop
  let log = EventLog<[[UInt8]]>()
  let events = EventLog<SocketEvent>()
  private let box = Box()

  /// Unchecked: only the loop's thread uses it.
  private final class Box: @unchecked Sendable { var socket: Socket? }

  init(_ security: ClientSecurity, to endpoint: Endpoint) async throws {
    loop = try MessageLoop()
    try await loop.run { [box, log, events] thread in
      let context = try MessagingContext()
      let socket = try Socket(.dealer, in: context, settings: .control)
      if case .curve(let keys, let server) = security { try CurveSecurity.connect(socket, keys: keys, server: server) }
      let monitor = try SocketMonitor(socket, named: "raw", in: context)
      thread.add(monitor.events) { if let (event, _) = try monitor.next() { events.add(event) } }
      thread.add(socket) {
        if let message = try socket.receive(maximumParts: 9) { log.add(message.parts.map(\.payload.bytes)) }
      }
      box.socket = socket
      try socket.connect(endpoint.description)
    }
  }

  func ready() async throws { _ = try await events.first { $0 == .ready } }

  /// Sends as soon as the socket takes it.
  func send(_ parts: [[UInt8]]) async throws {
    try await ready()
    while try await loop.run({ [box] _ in try box.socket?.send(parts.map { Payload($0) }) }) == .full {
      await Task.yield()
    }
  }

  /// The answer at a place in all answers.
  func answer(_ index: Int) async throws -> Message {
    _ = try await log.first(skipping: index) { _ in true }
    let parts = log.events[index]
    return try EnvelopeCodec().decode(parts[0], payloadBytes: parts[1].count)
  }

  func stop() async {
    loop.post { [box] _ in box.socket = nil }
    await loop.stop()
  }
}

/// Keys of a server and a list of peers, each with keys.
struct Enrolment: Sendable {
  let server: KeyPair
  let access: AccessControl
  let peers: [String: KeyPair]

  init(_ roles: [(String, Role)], limits: Limits = Limits()) throws {
    server = try KeyPair()
    var peers: [String: KeyPair] = [:]
    var entries: [AllowList.Entry] = []
    for (name, role) in roles {
      let keys = try KeyPair()
      peers[name] = keys
      entries.append(.init(name: name, role: role, key: keys.publicKey))
    }
    self.peers = peers
    access = AccessControl(AllowList(entries)!, limits: limits)
  }

  var serving: ServerSecurity { .curve(server, access) }

  func security(_ name: String) -> ClientSecurity { .curve(peers[name]!, server: server.publicKey) }

  func revoke(_ name: String) { access.list = AllowList(access.list.entries.filter { $0.name != name })! }
}
