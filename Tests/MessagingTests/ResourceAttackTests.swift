import Glibc
import Synchronization
import Testing

@testable import Messaging

/// What strangers and an enrolled peer gone bad can cost a server: descriptors and memory, both bounded.
@Suite(.timeLimit(.minutes(1)), .serialized) struct ResourceAttackTests {
  @Test func silentConnectionsAreBoundedAndAGoodPeerStillGetsIn() async throws {
    let enrolment = try Enrolment([("good", .client)])
    var limits = Limits()
    limits.silentConnections = 8
    let server = try await TestServer(enrolment.serving, limits: limits)
    let silent = (0..<30).map { _ in PlainConnection.open(to: server.endpoint) }
    #expect(!silent.contains(-1))
    // All but the last eight are closed long before a handshake may last.
    let start = ContinuousClock.now
    for descriptor in silent.prefix(22) { #expect(try await PlainConnection.isClosed(descriptor)) }
    #expect(start.duration(to: .now) < .seconds(4))
    let good = try await TestClient(enrolment.security("good"), to: server.endpoint, name: "good")
    #expect(try await good.isAnswered(sequence: 1))
    #expect(try await server.counters.cutConnections >= 22)
    for descriptor in silent { close(descriptor) }
    await good.client.stop()
    await server.server.stop()
  }

  @Test func aHandshakeThatTakesItsTimeIsCut() async throws {
    let enrolment = try Enrolment([])
    let server = try await TestServer(enrolment.serving) { $0.settings.handshakeMilliseconds = 600 }
    // A byte each tenth of a second, of a greeting that never ends.
    let descriptor = PlainConnection.open(to: server.endpoint)
    let greeting: [UInt8] = [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0] + Array("CURVE".utf8)
    let start = ContinuousClock.now
    var sent = 0
    while sent < greeting.count {
      var byte = greeting[sent]
      guard send(descriptor, &byte, 1, Int32(MSG_NOSIGNAL)) == 1 else { break }
      sent += 1
      try await Task.sleep(for: .milliseconds(100))
    }
    #expect(try await PlainConnection.isClosed(descriptor))
    #expect(sent < greeting.count && start.duration(to: .now) < .seconds(10))
    close(descriptor)
    await server.server.stop()
  }

  /// ZMTP 3.0 by hand, as libzmq sends a message only when it has all of it: greeting, handshake, and a hello.
  private func enter(_ descriptor: Int32) async throws {
    let hello = EnvelopeCodec().encode(
      Message(.hello(Hello(build: "test", role: .worker, name: "bad", incarnation: 1))))
    let handshake = PlainConnection.greeting("NULL") + PlainConnection.ready
    #expect(send(descriptor, handshake, handshake.count, Int32(MSG_NOSIGNAL)) == handshake.count)
    // Messages may go when the other side is ready, too.
    var answer: [UInt8] = []
    while String(decoding: answer, as: UTF8.self).contains("READY") == false {
      var bytes = [UInt8](repeating: 0, count: 256)
      let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
      if count > 0 { answer += bytes[..<count] } else { try await Task.sleep(for: .milliseconds(1)) }
    }
    let message = [1, UInt8(hello.count)] + hello + [0, 0]
    #expect(send(descriptor, message, message.count, Int32(MSG_NOSIGNAL)) == message.count)
  }

  /// Sends parts without end, until the other end has enough of it.
  private func flood(_ descriptor: Int32, partBytes: Int) async throws {
    let size = UInt32(partBytes).bigEndian
    let header: [UInt8] =
      partBytes < 256 ? [1, UInt8(partBytes)] : [3, 0, 0, 0, 0] + withUnsafeBytes(of: size, Array.init)
    let part = header + Array(repeating: 7, count: partBytes)
    let parts = Array(repeatElement(part, count: max(1, 60_000 / part.count)).joined())
    var offset = 0
    while true {
      try Task.checkCancellation()
      let count = parts.withUnsafeBytes {
        send(descriptor, $0.baseAddress! + offset, parts.count - offset, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
      }
      if count < 0, errno != EAGAIN { return }
      if count < 0 { try await Task.sleep(for: .milliseconds(1)) }
      offset = (offset + max(0, count)) % parts.count
    }
  }

  @Test(arguments: [0, 60_000])
  func aMessageWithoutEndIsCutAndItsPeerNotHeard(partBytes: Int) async throws {
    var limits = Limits()
    limits.undeliveredBytes = 1 << 20
    let server = try await TestServer(.plaintext, limits: limits)
    let good = try await TestClient(.plaintext, to: server.endpoint, name: "good")
    #expect(try await good.isAnswered(sequence: 1))
    let bad = PlainConnection.open(to: server.endpoint)
    try await enter(bad)
    _ = try await server.peer("bad")
    let before = ProcessMemory.residentBytes
    let flooding = Task { try await flood(bad, partBytes: partBytes) }
    _ = try await server.log.first { if case .cut(let name) = $0 { name == "bad" } else { false } }
    _ = try await server.log.first { if case .quarantined(let name) = $0 { name == "bad" } else { false } }
    // What waits in the kernel of a connection that is closed hangs there for a minute.
    flooding.cancel()
    _ = try? await flooding.value
    #expect(ProcessMemory.residentBytes - before < 256 << 20)
    #expect(try await good.isAnswered(sequence: 2))
    #expect(try await server.counters.cutConnections == 1)
    close(bad)
    await good.client.stop()
    await server.server.stop()
  }

  @Test func manyMessagesOfAGoodPeerAreNoFlood() async throws {
    var limits = Limits()
    limits.undeliveredBytes = 2 << 20
    let server = try await TestServer(.plaintext, limits: limits)
    let client = try await TestClient(.plaintext, to: server.endpoint, name: "anna")
    #expect(try await client.isAnswered(sequence: 1))
    let request = Payload(byteCount: 60_000) { $0.initializeMemory(as: UInt8.self, repeating: 32) }
    for _ in 0..<200 {
      while try await client.send(.submit(Submission(key: Array(0..<16))), request) == .full { await Task.yield() }
    }
    #expect(try await client.isAnswered(sequence: 2))
    #expect(try await server.counters.cutConnections == 0)
    await client.client.stop()
    await server.server.stop()
  }

  @Test func aThreadThatAnswersNoHandshakesIsNoticed() async throws {
    let enrolment = try Enrolment([("good", .client)])
    let server = try await TestServer(enrolment.serving) { $0.authenticatorMilliseconds = 200 }
    let zap = try #require(server.server.zap)
    zap.loop.post { _ in usleep(900_000) }
    _ = try await server.log.first { if case .authenticatorStalled = $0 { true } else { false } }
    let good = try await TestClient(enrolment.security("good"), to: server.endpoint, name: "good")
    #expect(try await good.isAnswered(sequence: 1))
    #expect(server.log.events.count { if case .authenticatorStalled = $0 { true } else { false } } == 1)
    await good.client.stop()
    await server.server.stop()
  }

  @Test func strangersBeyondTheirNumberAreStillKeptOutAndOthersLetIn() async throws {
    var limits = Limits()
    limits.unlistedHandshakes = 5
    let enrolment = try Enrolment([("good", .client)], limits: limits)
    let server = try await TestServer(enrolment.serving)
    let refused = enrolment.access.refusedHandshakes
    var strangers: [RawPeer] = []
    for _ in 0..<9 {
      strangers.append(
        try await RawPeer(.curve(try KeyPair(), server: enrolment.server.publicKey), to: server.endpoint))
    }
    while enrolment.access.refusedHandshakes < refused + 9 { await Task.yield() }
    let good = try await TestClient(enrolment.security("good"), to: server.endpoint, name: "good")
    #expect(try await good.isAnswered(sequence: 1))
    for stranger in strangers {
      #expect(!stranger.events.events.contains(.ready) && stranger.log.events.isEmpty)
      await stranger.stop()
    }
    await good.client.stop()
    await server.server.stop()
  }

  @Test func theAttackOnItselfIsRepeatedAndEndsAServerThatHasBecomeOpen() async throws {
    let enrolment = try Enrolment([])
    let rounds = Mutex(0)
    let server = try await TestServer(enrolment.serving) { configuration in
      configuration.attackMilliseconds = 50
      let attack = configuration.attack
      configuration.attack = { endpoint, key in
        let attackers = try await attack(endpoint, key)
        let round = rounds.withLock { count in
          count += 1
          return count
        }
        return round < 4 ? attackers : [.randomKey]
      }
    }
    let event = try await server.log.first { if case .opened = $0 { true } else { false } }
    if case .opened(let error) = event { #expect(error == .open(server.endpoint, .randomKey)) }
    #expect(enrolment.access.refusedHandshakes >= 3)
    while PlainConnection.open(to: server.endpoint) >= 0 { await Task.yield() }
    await server.server.stop()
  }
}
