import CZeroMQ
import Glibc
import Testing

@testable import Messaging

/// How a stranger gets in, or does not: every row of what was measured of libzmq 4.3.4.
@Suite(.timeLimit(.minutes(1))) struct CurveTests {
  /// What a server of the bare library is set to.
  struct BareServer: Sendable {
    var curve = true
    var domain: String?
    var enforces = false
    /// A handler that denies everybody.
    var denies = false
  }

  /// Who gets in to such a server, and whether its handler was asked.
  private func attack(_ bare: BareServer) async throws -> (attackers: [SelfAttack.Attacker], wasAsked: Bool) {
    let keys = try KeyPair()
    let context = try MessagingContext()
    let access = AccessControl(AllowList())
    let zap = bare.denies ? try await ZAPHandler.start(access, in: context) : nil
    let loop = try MessageLoop()
    let endpoint = try await loop.run { thread in
      let socket = try Socket(.router, in: context, settings: .control)
      if bare.curve {
        try socket.set(ZMQ_CURVE_SERVER, 1)
        try socket.set(ZMQ_CURVE_SECRETKEY, keys.secretKey.text)
      }
      if let domain = bare.domain { try socket.set(ZMQ_ZAP_DOMAIN, domain) }
      if bare.enforces { try socket.set(93, 1) }
      thread.add(socket) { _ = try socket.receive(maximumParts: 3) }
      return try Endpoint(try socket.bind("tcp://127.0.0.1:0"))
    }
    let attackers = try await SelfAttack.run(on: endpoint, server: keys.publicKey, milliseconds: 1_000)
    await loop.stop()
    await zap?.loop.stop()
    return (attackers, access.refusedHandshakes > 0)
  }

  @Test func withoutAHandlerEveryKeyIsServed() async throws {
    #expect(try await attack(BareServer()).attackers == [.randomKey])
    #expect(try await attack(BareServer(domain: "clusca")).attackers == [.randomKey])
  }

  @Test func withAnEmptyDomainTheHandlerIsNeverAsked() async throws {
    let curve = try await attack(BareServer(enforces: true, denies: true))
    #expect(curve.attackers == [.randomKey] && !curve.wasAsked)
    let plain = try await attack(BareServer(curve: false, denies: true))
    #expect(plain.attackers == [.plain] && !plain.wasAsked)
  }

  @Test func enforcementWithADomainKeepsStrangersOut() async throws {
    #expect(try await attack(BareServer(domain: "clusca", enforces: true)).attackers == [])
    let denied = try await attack(BareServer(domain: "clusca", enforces: true, denies: true))
    #expect(denied.attackers == [] && denied.wasAsked)
  }

  @Test func aHandlerThatHangsLetsNobodyIn() async throws {
    let keys = try KeyPair()
    let context = try MessagingContext()
    let loop = try MessageLoop()
    let endpoint = try await loop.run { thread in
      let handler = try Socket(.reply, in: context, settings: .control)
      try handler.bind(ZAPHandler.address)
      let socket = try Socket(.router, in: context, settings: .control)
      try CurveSecurity.serve(socket, keys: keys)
      // Nobody reads the handler's socket.
      thread.after(milliseconds: 1 << 30) { _ = handler }
      thread.add(socket) { _ = try socket.receive(maximumParts: 3) }
      return try Endpoint(try socket.bind("tcp://127.0.0.1:0"))
    }
    #expect(try await SelfAttack.run(on: endpoint, server: keys.publicKey, milliseconds: 300) == [])
    await loop.stop()
  }

  @Test func thePeersOnTheListAreServedAndNobodyElse() async throws {
    let enrolment = try Enrolment([("anna", .client), ("w1", .worker)])
    let server = try await TestServer(enrolment.serving)
    let anna = try await TestClient(enrolment.security("anna"), to: server.endpoint, name: "anna")
    #expect(try await anna.isAnswered(sequence: 1))

    // A key that is on no list, a wrong server key, none at all.
    let stranger = try await RawPeer(.curve(try KeyPair(), server: enrolment.server.publicKey), to: server.endpoint)
    _ = try await stranger.events.first { $0 == .refused }
    let misled = try await RawPeer(
      .curve(enrolment.peers["anna"]!, server: try KeyPair().publicKey), to: server.endpoint)
    let plain = try await RawPeer(.plaintext, to: server.endpoint)
    for peer in [misled, plain] {
      _ = try await peer.events.first { $0 == .refused || $0 == .brokenOff || $0 == .disconnected }
    }
    for peer in [stranger, misled, plain] {
      #expect(!peer.events.events.contains(.ready) && peer.log.events.isEmpty)
      await peer.stop()
    }
    #expect(enrolment.access.refusedHandshakes >= 1)
    _ = try await server.log.first { if case .connection(.refused) = $0 { true } else { false } }
    #expect(try await anna.isAnswered(sequence: 2))
    #expect(try await server.counters.refusedHandshakes >= 1)
    await anna.client.stop()
    await server.server.stop()
  }

  @Test func theAttackFindsAServerWithoutCurve() async throws {
    let server = try await TestServer(.plaintext)
    #expect(try await SelfAttack.run(on: server.endpoint, server: Samples.key) == [.plain])
    await server.server.stop()
  }

  @Test func aKeyThatIsTakenOffTheListIsNotHeardAnyMore() async throws {
    let enrolment = try Enrolment([("anna", .client), ("bert", .client)])
    let server = try await TestServer(enrolment.serving)
    let anna = try await TestClient(enrolment.security("anna"), to: server.endpoint, name: "anna")
    let bert = try await TestClient(enrolment.security("bert"), to: server.endpoint, name: "bert")
    #expect(try await anna.isAnswered(sequence: 1))
    #expect(try await bert.isAnswered(sequence: 1))
    enrolment.revoke("anna")
    _ = try await anna.send(.status, sequence: 2)
    #expect(try await anna.refusal()?.reason == .denied)
    // From now on not even that.
    let seen = anna.log.events.count
    for sequence: UInt64 in 3...5 { _ = try await anna.send(.status, sequence: sequence) }
    while try await server.counters.denied < 4 { await Task.yield() }
    #expect(anna.log.events.count == seen)
    #expect(try await bert.isAnswered(sequence: 6))

    // The name goes to another key: the old key stays out, although the name is on the list.
    enrolment.access.list = AllowList([.init(name: "anna", role: .client, key: try KeyPair().publicKey)])!
    _ = try await anna.send(.status, sequence: 7)
    while try await server.counters.denied < 5 { await Task.yield() }
    await anna.client.stop()
    await bert.client.stop()
    await server.server.stop()
  }

  @Test func plaintextIsForThisMachineOnly() async throws {
    func start(_ endpoint: String, _ security: ServerSecurity = .plaintext) async throws {
      let configuration = ServerConfiguration(endpoints: [try Endpoint(endpoint)], security: security)
      try await MessageServer.start(configuration) { _, _ in }.stop()
    }
    await #expect(throws: SecurityError.plaintext(.tcp(host: "192.0.2.1", port: 5000))) {
      try await start("tcp://192.0.2.1:5000")
    }
    await #expect(throws: SecurityError.plaintext(.tcp(host: "localhost", port: 5000))) {
      try await start("tcp://localhost:5000")
    }
    await #expect(throws: SecurityError.self) {
      _ = try await MessageClient.start(
        ClientConfiguration(endpoint: .tcp(host: "192.0.2.1", port: 5000), security: .plaintext)
      ) { _, _ in }
    }
    let folder = try TemporaryFolder()
    try await start("ipc://\(folder.path)/socket")
    chmod(folder.path, 0o755)
    await #expect(throws: EndpointError.self) { try await start("ipc://\(folder.path)/socket") }
    // With keys the folder does not matter.
    let enrolment = try Enrolment([])
    try await start("ipc://\(folder.path)/socket", enrolment.serving)
  }

  @Test func addressesAreTcpAndIpcAndNeverAllInterfaces() throws {
    #expect(try Endpoint("tcp://10.1.2.3:5000") == .tcp(host: "10.1.2.3", port: 5000))
    #expect(try Endpoint("tcp://[fe80::1]:5000") == .tcp(host: "fe80::1", port: 5000))
    #expect(try Endpoint("tcp://[::1]:5000").description == "tcp://[::1]:5000")
    #expect(try Endpoint("tcp://[::ffff:127.0.0.1]:5000") == .tcp(host: "127.0.0.1", port: 5000))
    #expect(try Endpoint("tcp://[fe80::1%eth0]:1").description == "tcp://[fe80::1%eth0]:1")
    #expect(try Endpoint("tcp://[::ffff:7f00:1]:5000") == .tcp(host: "127.0.0.1", port: 5000))
    #expect(try Endpoint("tcp://[::ffff:1:7.0.0.1]:1").description == "tcp://[::ffff:1:7.0.0.1]:1")
    #expect(try Endpoint("ipc:///run/clusca/s") == .ipc(path: "/run/clusca/s"))
    #expect(try Endpoint("tcp://*:5000", allowAllInterfaces: true) == .tcp(host: "*", port: 5000))
    for text in [
      "", "tcp://", "tcp://*:5000", "tcp://0.0.0.0:5000", "tcp://[::]:5000", "tcp://0:5000",
      "tcp://0x0:5000", "tcp://[0:0::0]:5000", "tcp://[::ffff:0.0.0.0]:5000", "tcp://host", "tcp://host:65536",
      "tcp://:1",
      "tcp://::1:5000", "tcp://a;b:5000", "udp://127.0.0.1:5000", "inproc://x", "ws://127.0.0.1:80",
      "pgm://127.0.0.1:1",
      "ipc://relative", "ipc://", "ipc:///" + String(repeating: "x", count: 107), "tcp://127.0.0.1:5000\n",
      "@tcp://h:1", "tcp://[::ffff:::ffff:7.0.0.1]:1", "tcp://[a:b]:1", "tcp://[::%lo]:1", "tcp://[::ffff:0:0]:1",
      "tcp://[::ffff:127.0.0.1%lo]:1",
      "tcp://[::ffff:0.0.0.0%lo]:1",
    ] {
      #expect(throws: EndpointError.self, "\(text)") { try Endpoint(text) }
    }
    for (text, isLocal) in [
      ("tcp://127.0.0.1:1", true), ("tcp://127.9.9.9:1", true), ("tcp://[::1]:1", true), ("tcp://localhost:1", false),
      ("tcp://128.0.0.1:1", false), ("tcp://127.0.0.1.example.org:1", false), ("ipc:///x", true),
    ] {
      #expect(try Endpoint(text).isLocal == isLocal, "\(text)")
    }
  }

  @Test(.timeLimit(.minutes(1))) func whoIsRefusedGetsInWhenEnlistedLater() async throws {
    let enrolment = try Enrolment([("late", .client)])
    let list = enrolment.access.list
    enrolment.revoke("late")
    let server = try await TestServer(enrolment.serving)
    let client = try await TestClient(enrolment.security("late"), to: server.endpoint, name: "late")
    try await client.refusedHandshake()
    enrolment.access.list = list
    #expect(try await client.isAnswered(sequence: 3))
    await client.client.stop()
    await server.server.stop()
  }
}
