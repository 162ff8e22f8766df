/// Tries to get in as a stranger. A server does this to itself before it begins and every ten minutes, since a setting of
/// ZeroMQ that does nothing looks like one that does.
public enum SelfAttack {
  public enum Attacker: Sendable, Hashable, CaseIterable, CustomStringConvertible {
    /// Without CURVE.
    case plain
    /// With a key that was made for it and is on no list.
    case randomKey

    public var description: String {
      switch self {
      case .plain: "peers without CURVE"
      case .randomKey: "keys that are on no list"
      }
    }
  }

  /// The attackers that got in: whose handshake succeeded or who got any answer; those who hear nothing for
  /// `milliseconds` are outside.
  public static func run(
    on endpoint: Endpoint, server: PublicKey, milliseconds: Int = 2_000
  ) async throws -> [Attacker] {
    try await withThrowingTaskGroup(of: Attacker?.self) { group in
      for attacker in Attacker.allCases {
        group.addTask {
          try await getsIn(attacker, endpoint, server: server, milliseconds: milliseconds) ? attacker : nil
        }
      }
      var successful: [Attacker] = []
      for try await attacker in group { if let attacker { successful.append(attacker) } }
      return successful.sorted { "\($0)" < "\($1)" }
    }
  }

  private static func getsIn(
    _ attacker: Attacker, _ endpoint: Endpoint, server: PublicKey, milliseconds: Int
  ) async throws -> Bool {
    let loop = try MessageLoop()
    let outcome = FirstValue<Bool>()
    try await loop.run { thread in
      let context = try MessagingContext()
      let socket = try Socket(.dealer, in: context, settings: .control)
      if attacker == .randomKey { try CurveSecurity.connect(socket, keys: KeyPair(), server: server) }
      let monitor = try SocketMonitor(socket, named: "attack", in: context)
      thread.add(monitor.events) {
        while let (event, _) = try monitor.next() {
          switch event {
          case .ready: outcome.set(true)
          case .refused, .brokenOff, .disconnected: outcome.set(false)
          case .accepted, .connected: break
          }
        }
      }
      thread.add(socket) { if try socket.receive(maximumParts: 2) != nil { outcome.set(true) } }
      thread.after(milliseconds: milliseconds) { outcome.set(false) }
      try socket.connect(endpoint.description)
    }
    let getsIn = await outcome.value
    await loop.stop()
    return getsIn
  }
}
