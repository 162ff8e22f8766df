import Foundation
import Glibc
import Testing

@testable import Messaging

/// Whatever a stranger sends to a port does not keep those waiting who belong there.
@Suite(.timeLimit(.minutes(10)), .serialized) struct GarbageTests {
  /// `CLUSCA_GARBAGE_CONNECTIONS=10000` for more, alone (`--filter GarbageTests`): then the memory is nobody else's.
  private static let wanted =
    ProcessInfo.processInfo.environment["CLUSCA_GARBAGE_CONNECTIONS"].flatMap(Int.init)
  /// To each of two ports.
  private static let connections = (wanted ?? 300) / 2
  private static let mostBytes = wanted == nil ? 256 << 20 : 64 << 20

  private enum Kind: CaseIterable {
    case bytes
    case bytesBehindAGreeting
    /// A session of a peer that belongs there, up to some place.
    case truncated
    /// With some bytes that are others.
    case mutated
  }

  @Test(arguments: [true, false]) func garbageOnThePortDoesNotKeepAGoodPeerWaiting(isProtected: Bool) async throws {
    let enrolment = try Enrolment([("good", .client), ("recorded", .client)])
    let server = try await TestServer(isProtected ? enrolment.serving : .plaintext)
    func security(_ name: String) -> ClientSecurity { isProtected ? enrolment.security(name) : .plaintext }
    let session = try await RecordedSession.record(security("recorded"), to: server.endpoint)
    let good = try await TestClient(security("good"), to: server.endpoint, name: "good")
    #expect(try await good.isAnswered(sequence: 1))
    let before = ProcessMemory.residentBytes
    var generator = SeededGenerator(seed: 3)
    var open: [Int32] = []
    var slowest = Duration.zero
    for round in 0..<Self.connections {
      let kind = Kind.allCases[round % Kind.allCases.count]
      let bytes = Self.garbage(kind, session, isProtected, &generator)
      let descriptor = PlainConnection.open(to: server.endpoint)
      #expect(descriptor >= 0)
      _ = send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL))
      open.append(descriptor)
      // So long that it is looked at, and answered.
      if open.count > 16 { close(open.removeFirst()) }
      guard round % 25 == 0 else { continue }
      let start = ContinuousClock.now
      #expect(try await good.isAnswered(sequence: UInt64(round + 2)))
      slowest = max(slowest, start.duration(to: .now))
    }
    for descriptor in open { close(descriptor) }
    #expect(try await good.isAnswered(sequence: UInt64(Self.connections + 2)))
    let growth = ProcessMemory.residentBytes - before
    // Far less on a machine that has nothing else to do.
    #expect(slowest < .seconds(5))
    #expect(growth < Self.mostBytes)
    // Nobody gets through a handshake with it.
    if isProtected { #expect(try await server.counters.malformed == 0) }
    print(
      "\(Self.connections) connections \(isProtected ? "with" : "without") CURVE: answered within \(slowest), "
        + "\(growth >> 10) KiB more")
    await good.client.stop()
    await server.server.stop()
  }

  /// Versions of ZMTP before 3 begin with a name, with or without a greeting.
  @Test(.timeLimit(.minutes(1))) func whoSpeaksAnOldProtocolIsSentAway() async throws {
    let server = try await TestServer(.plaintext) { $0.settings.handshakeMilliseconds = 600_000 }
    let signature: [UInt8] = [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F]
    for hello in [[1, 0], signature + [0, 5, 1, 0], signature + [1, 5, 0, 0]] {
      let descriptor = PlainConnection.open(to: server.endpoint)
      #expect(send(descriptor, hello, hello.count, Int32(MSG_NOSIGNAL)) == hello.count)
      #expect(try await PlainConnection.isClosed(descriptor))
      close(descriptor)
    }
    let good = try await TestClient(.plaintext, to: server.endpoint, name: "good")
    #expect(try await good.isAnswered(sequence: 1))
    await good.client.stop()
    await server.server.stop()
  }

  /// ZeroMQ ended the process when it could not hand over their name any more.
  @Test func whoSpeaksAnOldProtocolWhileAServerStopsDoesNotEndTheProcess() async throws {
    for round in 0..<100 {
      let server = try await TestServer(.plaintext)
      let strangers = (0..<40).map { _ in PlainConnection.open(to: server.endpoint) }
      for stranger in strangers { _ = send(stranger, [1] as [UInt8], 1, Int32(MSG_NOSIGNAL)) }
      try await Task.sleep(for: .milliseconds(2))
      async let rest: Void = {
        try? await Task.sleep(for: .microseconds(round * 7 % 300))
        for stranger in strangers { _ = send(stranger, [0] as [UInt8], 1, Int32(MSG_NOSIGNAL)) }
      }()
      await server.server.stop()
      await rest
      for stranger in strangers { close(stranger) }
    }
  }

  private static func garbage(
    _ kind: Kind, _ session: [UInt8], _ isProtected: Bool, _ generator: inout SeededGenerator
  ) -> [UInt8] {
    func random(_ range: Range<Int>) -> Int { Int.random(in: range, using: &generator) }
    func bytes() -> [UInt8] { (0..<random(0..<400)).map { _ in UInt8.random(in: 0...255, using: &generator) } }
    switch kind {
    case .bytes: return bytes()
    case .bytesBehindAGreeting: return PlainConnection.greeting(isProtected ? "CURVE" : "NULL") + bytes()
    case .truncated: return Array(session.prefix(random(1..<session.count)))
    case .mutated:
      var session = session
      for _ in 0...random(0..<4) { session[random(0..<session.count)] ^= 1 << random(0..<8) }
      return session
    }
  }
}

/// What a client sends from its first byte on.
private enum RecordedSession {
  /// Everything from the greeting to the second question and its answer.
  static func record(_ security: ClientSecurity, to endpoint: Endpoint) async throws -> [UInt8] {
    while true {
      try Task.checkCancellation()
      if let session = try await attempt(security, to: endpoint) { return session }
    }
  }

  /// - Returns: nil if an end has closed the connection, as it does with a handshake that takes too long: on a machine with
  ///   much else to do the relay may have to wait for a thread.
  private static func attempt(_ security: ClientSecurity, to endpoint: Endpoint) async throws -> [UInt8]? {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = PlainConnection.address()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, length)
        getsockname(listener, $0, &length)
      }
    }
    listen(listener, 1)
    let here = Endpoint.tcp(host: "127.0.0.1", port: UInt16(bigEndian: address.sin_port))
    let client = try await TestClient(security, to: here, name: "recorded")
    let near = accept(listener, nil, nil)
    let far = PlainConnection.open(to: endpoint)
    defer { for descriptor in [near, far] { close(descriptor) } }
    let asking = Task { () async throws in
      for sequence: UInt64 in 1...2 { #expect(try await client.isAnswered(sequence: sequence)) }
    }
    let relaying = Task {
      let session = await relay(near, far)
      // Nobody is going to be answered any more.
      asking.cancel()
      return session
    }
    let outcome = await withTaskCancellationHandler {
      await asking.result
    } onCancel: {
      asking.cancel()
    }
    relaying.cancel()
    let session = await relaying.value
    await client.client.stop()
    if case .failure(let error) = outcome {
      guard error is CancellationError else { throw error }
      return nil
    }
    return session
  }

  /// Both ways, until it is cancelled.
  ///
  /// - Returns: what has come from `near`; nil if an end has closed the connection before.
  private static func relay(_ near: Int32, _ far: Int32) async -> [UInt8]? {
    var recorded: [UInt8] = []
    var bytes = [UInt8](repeating: 0, count: 1 << 14)
    while !Task.isCancelled {
      var moved = 0
      for (from, to) in [(near, far), (far, near)] {
        let count = recv(from, &bytes, bytes.count, Int32(MSG_DONTWAIT))
        if count == 0 || count < 0 && errno != EAGAIN { return nil }
        guard count > 0 else { continue }
        moved += count
        if from == near { recorded += bytes[..<count] }
        guard send(to, bytes, count, Int32(MSG_NOSIGNAL)) == count else { return nil }
      }
      if moved == 0 { try? await Task.sleep(for: .milliseconds(1)) }
    }
    return recorded
  }
}
