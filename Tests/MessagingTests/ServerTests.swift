import Tensors
import Testing

@testable import Messaging

/// What each bad input gets.
@Suite(.timeLimit(.minutes(1))) struct ServerTests {
  private let codec = EnvelopeCodec()

  private func hello(_ name: String, _ role: Role = .client, incarnation: UInt64 = 1) -> [[UInt8]] {
    [codec.encode(Message(.hello(Hello(build: "test", role: role, name: name, incarnation: incarnation)))), []]
  }

  private func refusal(_ message: Message) -> Refusal? {
    if case .refused(let refusal) = message.body { refusal } else { nil }
  }

  @Test func malformedMessagesAreAnsweredThreeTimesAndThenNotHeard() async throws {
    let enrolment = try Enrolment([("anna", .client), ("good", .client)])
    let server = try await TestServer(enrolment.serving)
    let good = try await TestClient(enrolment.security("good"), to: server.endpoint, name: "good")
    let bad = try await RawPeer(enrolment.security("anna"), to: server.endpoint)
    try await bad.send(hello("anna"))
    #expect(try await bad.answer(0).kind == .welcome)
    // Three parts; a wrong version; an unknown kind.
    try await bad.send(hello("anna") + [[]])
    #expect(try refusal(await bad.answer(1))?.reason == .malformed)
    try await bad.send([RawHeader(42, version: 9).bytes, []])
    #expect(try refusal(await bad.answer(2))?.offset == 4)
    try await bad.send([RawHeader(99).bytes, []])
    #expect(try refusal(await bad.answer(3))?.offset == 5)
    _ = try await server.log.first { if case .quarantined(let name) = $0 { name == "anna" } else { false } }
    try await bad.send([codec.encode(Message(.status)), []])
    while try await server.counters.quarantined < 1 { await Task.yield() }
    #expect(bad.log.events.count == 4)
    #expect(try await server.counters.malformed == 3)
    #expect(try await good.isAnswered(sequence: 1))
    await bad.stop()
    await good.client.stop()
    await server.server.stop()
  }

  @Test func moreOrFewerPartsThanTwoAreMalformed() async throws {
    let server = try await TestServer(.plaintext)
    for (index, parts) in [[[]], Array(repeating: [UInt8(1)], count: 1000)].enumerated() {
      let peer = try await RawPeer(.plaintext, to: server.endpoint)
      try await peer.send(parts)
      #expect(try refusal(await peer.answer(0))?.reason == .malformed, "\(index)")
      await peer.stop()
    }
    await server.server.stop()
  }

  @Test func aFrameBeyondTheLimitEndsTheConnection() async throws {
    let server = try await TestServer(.plaintext)
    let peer = try await RawPeer(.plaintext, to: server.endpoint)
    try await peer.send([codec.encode(Message(.status)), Array(repeating: 0, count: Limits().frameBytes + 1)])
    _ = try await server.log.first { if case .connection(.disconnected) = $0 { true } else { false } }
    var counters = ServerCounters()
    counters.endedConnections = 1
    #expect(try await server.counters == counters)
    await peer.stop()
    await server.server.stop()
  }

  @Test func theEndOfAPeersConnectionIsTold() async throws {
    let folder = try TemporaryFolder()
    let enrolment = try Enrolment([("anna", .client), ("ben", .client)])
    for (isProtected, endpoint) in [(true, "tcp://127.0.0.1:0"), (false, "ipc://\(folder.path)/socket")] {
      let server = try await TestServer(isProtected ? enrolment.serving : .plaintext, at: endpoint)
      var clients: [TestClient] = []
      for name in ["anna", "ben"] {
        let security = isProtected ? enrolment.security(name) : .plaintext
        clients.append(try await TestClient(security, to: server.endpoint, name: name))
      }
      let anna = try await server.peer("anna")
      _ = try await server.peer("ben")
      await clients[0].client.stop()
      let event = try await server.log.first { if case .disconnected = $0 { true } else { false } }
      if case .disconnected(let peer) = event { #expect(peer == anna) }
      #expect(try await clients[1].isAnswered(sequence: 1))
      #expect(server.log.events.count { if case .disconnected = $0 { true } else { false } } == 1)
      await clients[1].client.stop()
      await server.server.stop()
    }
  }

  @Test func aRoleThatMayNotIsToldOnce() async throws {
    let enrolment = try Enrolment([("olga", .observer), ("w1", .worker)])
    let server = try await TestServer(enrolment.serving)
    let observer = try await TestClient(enrolment.security("olga"), to: server.endpoint, name: "olga", role: .observer)
    #expect(try await observer.isAnswered(sequence: 1))
    // Not parsed: the field is no field of the kind, which would be malformed.
    for _ in 0..<3 { _ = try await observer.send(.submit(Submission(key: Array(0..<16))), Payload("{}")) }
    #expect(try await observer.refusal()?.reason == .denied)
    while try await server.counters.denied < 3 { await Task.yield() }
    #expect(try await observer.isAnswered(sequence: 2))
    #expect(
      observer.log.events.count { if case .message(let message, _) = $0 { message.kind == .refused } else { false } }
        == 1)

    // A worker's key that calls itself by another name, or claims another role.
    for message in [hello("olga", .worker), hello("w1", .admin)] {
      let spoofer = try await RawPeer(enrolment.security("w1"), to: server.endpoint)
      try await spoofer.send(message)
      #expect(try refusal(await spoofer.answer(0))?.reason == .denied)
      await spoofer.stop()
    }
    #expect(try await server.counters.malformed == 0)
    await observer.client.stop()
    await server.server.stop()
  }

  @Test func nobodyIsHeardBeforeItsHello() async throws {
    let server = try await TestServer(.plaintext)
    let peer = try await RawPeer(.plaintext, to: server.endpoint)
    try await peer.send([codec.encode(Message(.status, fence: Fence(sequence: 8))), []])
    let refused = try refusal(await peer.answer(0))
    #expect(refused?.reason == .unexpected && refused?.acknowledged == 8)
    try await peer.send(hello("anna"))
    #expect(try await peer.answer(1).kind == .welcome)
    try await peer.send([codec.encode(Message(.status)), []])
    #expect(try await peer.answer(2).kind == .status)
    await peer.stop()
    await server.server.stop()
  }

  @Test func theNewerOfTwoWorkersOfOneKeyIsHeard() async throws {
    let enrolment = try Enrolment([("w1", .worker)])
    let server = try await TestServer(enrolment.serving)
    let old = try await RawPeer(enrolment.security("w1"), to: server.endpoint)
    try await old.send(hello("w1", .worker, incarnation: 1))
    #expect(try await old.answer(0).kind == .welcome)
    let new = try await RawPeer(enrolment.security("w1"), to: server.endpoint)
    try await new.send(hello("w1", .worker, incarnation: 2))
    #expect(try await new.answer(0).kind == .welcome)
    _ = try await server.log.first { if case .replaced(let peer) = $0 { peer.incarnation == 1 } else { false } }
    try await old.send([codec.encode(Message(.heartbeat(Heartbeat()))), []])
    #expect(try refusal(await old.answer(1))?.reason == .unexpected)
    try await old.send(hello("w1", .worker, incarnation: 1))
    #expect(try refusal(await old.answer(2))?.reason == .replaced)
    await old.stop()
    await new.stop()
    await server.server.stop()
  }

  @Test func sendingToAPeerThatHasGoneIsNoticed() async throws {
    let server = try await TestServer(.plaintext)
    let client = try await TestClient(.plaintext, to: server.endpoint, name: "anna")
    #expect(try await client.isAnswered(sequence: 1))
    let peer = try #require(try await server.peer("anna"))
    #expect(try await server.server.send(Message(.current), to: peer) == .sent)
    await client.client.stop()
    _ = try await server.log.first { if case .connection(.disconnected) = $0 { true } else { false } }
    while try await server.server.send(Message(.current), to: peer) == .sent { await Task.yield() }
    #expect(try await server.server.send(Message(.current), to: peer) == .unreachable)
    await server.server.stop()
    await #expect(throws: SocketError.self) { try await server.server.send(Message(.current), to: peer) }
  }

  @Test func anIpcSocketWithCurveServesToo() async throws {
    let folder = try TemporaryFolder()
    let enrolment = try Enrolment([("anna", .client)])
    let server = try await TestServer(enrolment.serving, at: "ipc://\(folder.path)/s")
    let client = try await TestClient(enrolment.security("anna"), to: server.endpoint, name: "anna")
    #expect(try await client.isAnswered(sequence: 1))
    #expect(try await server.counters.messages == 2)
    await client.client.stop()
    await server.server.stop()
  }
}
