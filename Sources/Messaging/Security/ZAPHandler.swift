/// Answers ZeroMQ's question whom to let in (ZAP, ZeroMQ RFC 27). One for a context, on a thread of its own, there before
/// any socket of the context listens: ZeroMQ lets everybody in when nobody answers.
final class ZAPHandler: Sendable {
  static let address = "inproc://zeromq.zap.01"
  /// Not empty: for an empty domain ZeroMQ never asks.
  static let domain = "clusca"

  let loop: MessageLoop

  private init(_ loop: MessageLoop) { self.loop = loop }

  /// Returns once the handler listens.
  static func start(_ access: AccessControl, in context: MessagingContext) async throws -> ZAPHandler {
    let loop = try MessageLoop()
    try await loop.run { thread in
      let socket = try Socket(.reply, in: context, settings: .control)
      try socket.bind(address)
      thread.add(socket) { try answer(socket, access) }
    }
    return ZAPHandler(loop)
  }

  private static func answer(_ socket: Socket, _ access: AccessControl) throws {
    guard let request = try socket.receive(maximumParts: 8) else { return }
    let parts = request.parts.map(\.payload.bytes)
    _ = try socket.send(reply(parts, count: request.count, access).map { Payload($0) })
  }

  /// - Parameter request: version, request id, domain, address, identity, mechanism, credentials.
  private static func reply(_ request: [[UInt8]], count: Int, _ access: AccessControl) -> [[UInt8]] {
    let version = Array("1.0".utf8)
    let id = request.count > 1 ? request[1] : []
    func reply(_ status: String, _ text: String, user: String = "") -> [[UInt8]] {
      [version, id, Array(status.utf8), Array(text.utf8), Array(user.utf8), []]
    }
    guard count == 7, request[0] == version, request[2] == Array(domain.utf8), request[5] == Array("CURVE".utf8) else {
      return reply("400", "Only CURVE is let in here")
    }
    let address = String(decoding: request[3], as: UTF8.self)
    switch access.answer(PublicKey(bytes: request[6]), from: address) {
    // The key is what a peer is; its name may go to another key later.
    case .admitted(let entry): return reply("200", "OK", user: entry.key.text)
    case .unlisted: return reply("400", "This key is not on the list")
    case .putOff: return reply("300", "Too many strangers from this address")
    }
  }
}
