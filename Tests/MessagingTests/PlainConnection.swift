import Foundation
import Glibc

@testable import Messaging

/// TCP without ZeroMQ: what strangers can send, and what libzmq never would.
enum PlainConnection {
  /// - Returns: the descriptor; -1 if nobody listens.
  static func open(to endpoint: Endpoint) -> Int32 {
    guard case .tcp(_, let port) = endpoint else { return -1 }
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = Self.address(port)
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return result == 0 ? descriptor : -1
  }

  /// On this machine; any free port unless given.
  static func address(_ port: UInt16 = 0) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }

  /// Whether the other end has closed a connection; waits for it.
  static func isClosed(_ descriptor: Int32) async throws -> Bool {
    var bytes = [UInt8](repeating: 0, count: 256)
    while true {
      let count = recv(descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
      if count == 0 || count < 0 && errno != EAGAIN { return true }
      if count < 0 { try await Task.sleep(for: .milliseconds(5)) }
    }
  }

  /// The first 64 bytes of ZMTP 3.0.
  static func greeting(_ mechanism: String) -> [UInt8] {
    let start: [UInt8] = [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 0] + Array(mechanism.utf8)
    return start + Array(repeating: 0, count: 64 - start.count)
  }

  /// All there is to the handshake of the mechanism NULL behind the greeting.
  static var ready: [UInt8] {
    let property: [UInt8] = [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)
    let ready: [UInt8] = [5] + Array("READY".utf8) + property
    return [4, UInt8(ready.count)] + ready
  }
}

/// The memory of this process, which all tests share that run at the time.
enum ProcessMemory {
  static var residentBytes: Int {
    let pages = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8))?.split(separator: " ").dropFirst()
      .first
    return (pages.flatMap { Int($0) } ?? 0) * Int(sysconf(Int32(_SC_PAGESIZE)))
  }
}
