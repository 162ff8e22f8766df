import Files
import Glibc

/// Where a socket listens or connects: `tcp://HOST:PORT` or `ipc://PATH`. ZeroMQ knows more transports; none of them is
/// accepted.
public enum Endpoint: Sendable, Hashable, CustomStringConvertible {
  /// An IPv4 address, a name, or an IPv6 address without its brackets. Port 0 lets the system choose when listening.
  case tcp(host: String, port: UInt16)
  case ipc(path: String)

  /// Bytes of a socket's path, by `sockaddr_un` and its zero byte.
  private static let pathBytes = 107

  /// - Throws: ``EndpointError`` for anything else, all interfaces at once (`*`, `0.0.0.0`, `::`) included unless they are
  ///   allowed.
  public init(_ text: String, allowAllInterfaces: Bool = false) throws(EndpointError) {
    guard text.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else { throw EndpointError(text, "holds a space") }
    if text.hasPrefix("ipc://") {
      let path = String(text.dropFirst(6))
      guard path.hasPrefix("/"), path.utf8.count <= Self.pathBytes else {
        throw EndpointError(text, "needs an absolute path of at most \(Self.pathBytes) bytes")
      }
      self = .ipc(path: path)
      return
    }
    guard text.hasPrefix("tcp://") else { throw EndpointError(text, "is neither tcp://HOST:PORT nor ipc://PATH") }
    let rest = text.dropFirst(6)
    guard let colon = rest.lastIndex(of: ":"), let port = UInt16(rest[rest.index(after: colon)...]) else {
      throw EndpointError(text, "has no port")
    }
    var host = rest[..<colon]
    if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
    let isAddress = host.contains(":")
    // ZeroMQ reads a semicolon as a source address, and a slash never belongs here.
    guard !host.isEmpty, host.utf8.allSatisfy({ $0 < 0x80 }), !host.contains(where: { ";/@".contains($0) }),
      isAddress == rest.hasPrefix("["), !isAddress || Self.version6(host) != nil
    else { throw EndpointError(text, "has no host") }
    // An IPv4 address on a socket that knows IPv6, as ZeroMQ reports it, and in any other spelling.
    if isAddress, let old = Self.version6(host).flatMap({ Self.version4(in: $0) }) {
      guard !host.contains("%") else { throw EndpointError(text, "has no host") }
      host = old[...]
    }
    guard allowAllInterfaces || !Self.isAllInterfaces(host) else {
      throw EndpointError(text, "would listen on all interfaces; name one")
    }
    self = .tcp(host: String(host), port: port)
  }

  /// Whether a host is `*` or an address of zeros in any spelling: 0.0.0.0, 0, ::, 0:0::0.
  private static func isAllInterfaces(_ host: Substring) -> Bool {
    if host == "*" { return true }
    var old = in_addr()
    if inet_aton(String(host), &old) != 0 { return old.s_addr == 0 }
    return version6(host).map { withUnsafeBytes(of: $0) { $0.allSatisfy { $0 == 0 } } } ?? false
  }

  /// Of an address without its zone.
  private static func version6(_ host: Substring) -> in6_addr? {
    var address = in6_addr()
    return inet_pton(AF_INET6, String(host.prefix { $0 != "%" }), &address) == 1 ? address : nil
  }

  /// The IPv4 address that an IPv6 address stands for.
  private static func version4(in address: in6_addr) -> String? {
    let bytes = withUnsafeBytes(of: address) { Array($0) }
    guard bytes[..<10].allSatisfy({ $0 == 0 }), bytes[10] == 0xFF, bytes[11] == 0xFF else { return nil }
    return bytes[12...].map { "\($0)" }.joined(separator: ".")
  }

  public var description: String {
    switch self {
    case .tcp(let host, let port): host.contains(":") ? "tcp://[\(host)]:\(port)" : "tcp://\(host):\(port)"
    case .ipc(let path): "ipc://\(path)"
    }
  }

  /// Whether what travels here stays on this machine: literally 127.x.x.x or ::1, or a file. A name does not count,
  /// whatever it stands for today.
  public var isLocal: Bool {
    switch self {
    case .ipc: return true
    case .tcp(let host, _):
      var address = in_addr()
      if inet_pton(AF_INET, host, &address) == 1 { return UInt32(bigEndian: address.s_addr) >> 24 == 127 }
      return host == "::1"
    }
  }

  /// Throws unless the folder of an ipc socket is its owner's alone: whoever may open the file is a peer.
  func checkFolder() throws(EndpointError) {
    guard case .ipc(let path) = self else { return }
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    var status = stat()
    guard stat(folder, &status) == 0, status.st_mode & S_IFMT == S_IFDIR else {
      throw EndpointError(description, "is in no folder")
    }
    guard status.st_uid == geteuid(), status.st_mode & 0o077 == 0 else {
      throw EndpointError(description, "is in a folder that others may use; it needs the permissions 0700")
    }
  }
}

/// Why an address is not used.
public struct EndpointError: Error, Sendable, Hashable, CustomStringConvertible {
  public let address: String
  public let reason: String

  init(_ address: String, _ reason: String) {
    self.address = address
    self.reason = reason
  }

  public var description: String { "\(address.printable()) \(reason)" }
}
