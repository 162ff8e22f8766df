import ArgumentParser
import Glibc
import Messaging
import RenderCluster

/// How workers and clients reach the coordinator.
struct ConnectionOptions: ParsableArguments {
  static let defaultPort: UInt16 = 8766

  @Option(
    help: ArgumentHelp(
      "The coordinator's address: tcp://HOST:PORT or ipc://PATH. tcp://127.0.0.1:\(defaultPort) unless given.",
      valueName: "address"))
  var coordinator: String?

  @Option(help: ArgumentHelp("The own keys, made with clusca keys new.", valueName: "file.secret"))
  var key: String?

  @Option(help: ArgumentHelp("The coordinator's public key, which is pinned.", valueName: "file.public"))
  var coordinatorKey: String?

  @Flag(help: "Do without keys on any address: anybody on the network may read and forge everything.")
  var insecurePlaintext = false

  func validate() throws {
    guard (key == nil) == (coordinatorKey == nil) else {
      throw ValidationError("--key and --coordinator-key go together")
    }
    guard key == nil || !insecurePlaintext else {
      throw ValidationError("--key and --insecure-plaintext exclude one another")
    }
  }

  func endpoint() throws -> Endpoint {
    do {
      return try Endpoint(coordinator ?? "tcp://127.0.0.1:\(Self.defaultPort)")
    } catch {
      throw CommandFailure(.usage, "--coordinator: \(error).")
    }
  }

  /// Keys and the name that they were made for; the name is nil without keys.
  func identity() throws -> (name: String?, security: ClusterSecurity) {
    guard let key, let coordinatorKey else {
      let endpoint = try endpoint()
      guard insecurePlaintext || endpoint.isLocal else {
        throw CommandFailure(
          .usage,
          "\(endpoint) is not on this machine and needs --key and --coordinator-key, or --insecure-plaintext on both "
            + "ends.")
      }
      return (nil, insecurePlaintext ? .insecurePlaintext : .plaintext)
    }
    let own = try KeyFiles.readNamed(secret: key)
    return (own.name, .curve(own.keys, coordinator: try KeyFiles.read(public: coordinatorKey).key))
  }
}

/// The name of this machine.
enum HostName {
  static var short: String {
    var buffer = [CChar](repeating: 0, count: 256)
    guard gethostname(&buffer, buffer.count - 1) == 0 else { return "host" }
    let name = buffer.prefix { $0 != 0 && $0 != CChar(UInt8(ascii: ".")) }.map { UInt8(bitPattern: $0) }
    return name.isEmpty ? "host" : String(decoding: name, as: UTF8.self)
  }
}
