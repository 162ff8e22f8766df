import CZeroMQ

/// A public key of CURVE: what a peer is known by.
public struct PublicKey: Sendable, Hashable, CustomStringConvertible {
  /// Characters of its text.
  public static let characters = 40

  /// Z85 (ZeroMQ RFC 32).
  public let text: String

  /// Nil for text that is no Z85 of 32 bytes.
  public init?(_ text: some StringProtocol) {
    let text = String(text)
    guard text.utf8.count == Self.characters, !text.utf8.contains(0) else { return nil }
    var bytes = [UInt8](repeating: 0, count: 32)
    guard zmq_z85_decode(&bytes, text) != nil else { return nil }
    self.text = text
  }

  /// The key of the 32 bytes that a ZAP request holds.
  init?(bytes: [UInt8]) {
    guard bytes.count == 32 else { return nil }
    var text = [CChar](repeating: 0, count: Self.characters + 1)
    guard zmq_z85_encode(&text, bytes, bytes.count) != nil else { return nil }
    self.text = String(decoding: text.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  public var description: String { text }
}

/// The secret half of a key. Prints as nothing.
public struct SecretKey: Sendable, CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  let text: String

  init?(_ text: some StringProtocol) {
    guard PublicKey(text) != nil else { return nil }
    self.text = String(text)
  }

  public var description: String { "(secret)" }
  public var debugDescription: String { description }
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// The two keys of a node.
public struct KeyPair: Sendable {
  public let publicKey: PublicKey
  public let secretKey: SecretKey

  /// New keys, from the system's random numbers.
  public init() throws(SocketError) {
    var publicText = [CChar](repeating: 0, count: PublicKey.characters + 1)
    var secretText = [CChar](repeating: 0, count: PublicKey.characters + 1)
    guard zmq_curve_keypair(&publicText, &secretText) == 0,
      let publicKey = PublicKey(String(decoding: publicText.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)),
      let secretKey = SecretKey(String(decoding: secretText.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    else { throw SocketError("Making keys") }
    self.publicKey = publicKey
    self.secretKey = secretKey
  }

  /// The keys that belong to a secret one.
  init(_ secretKey: SecretKey) throws(SocketError) {
    var text = [CChar](repeating: 0, count: PublicKey.characters + 1)
    guard zmq_curve_public(&text, secretKey.text) == 0,
      let publicKey = PublicKey(String(decoding: text.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self))
    else { throw SocketError("Reading keys") }
    self.publicKey = publicKey
    self.secretKey = secretKey
  }
}
