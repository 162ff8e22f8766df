import Glibc

/// What the kernel knows of a connection that belongs to ZeroMQ, and the one thing that may be done to it.
enum ConnectionDescriptor {
  /// The place of `tcpi_bytes_received` in the kernel's `struct tcp_info` (include/uapi/linux/tcp.h), which the C library
  /// does not know to its end.
  private static let receivedOffset = 128

  /// The bytes that have been received since the beginning; nil for what is no TCP connection.
  static func received(_ descriptor: Int32) -> UInt64? {
    var information = [UInt8](repeating: 0, count: 256)
    var length = socklen_t(information.count)
    guard getsockopt(descriptor, Int32(IPPROTO_TCP), TCP_INFO, &information, &length) == 0,
      Int(length) >= receivedOffset + MemoryLayout<UInt64>.size
    else { return nil }
    return information.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: receivedOffset, as: UInt64.self) }
  }

  /// `TCP_THIN_LINEAR_TIMEOUTS` and `TCP_RTO_MAX_MS` of the kernel's include/uapi/linux/tcp.h; the latter since Linux 6.15.
  private static let (thinLinearTimeouts, longestTimeout): (Int32, Int32) = (16, 44)

  /// Has the kernel send again what was lost without waiting twice as long each time: a heartbeat must not wait for seconds
  /// because three packets in a row were lost. Older kernels do so while less than four packets are on their way. Nothing
  /// for what is no TCP connection.
  static func repeatSoon(_ descriptor: Int32) {
    for (option, value) in [(thinLinearTimeouts, 1), (longestTimeout, 1_000)] as [(Int32, Int32)] {
      var value = value
      setsockopt(descriptor, Int32(IPPROTO_TCP), option, &value, socklen_t(MemoryLayout<Int32>.size))
    }
  }

  /// Ends a connection, upon which ZeroMQ closes it and frees what it holds of it. Nothing happens if the descriptor has
  /// become something else meanwhile than a connection to one of these ports or socket files.
  static func cut(_ descriptor: Int32, to endpoints: [Endpoint]) {
    guard endpoints.contains(where: { belongs(descriptor, to: $0) }) else { return }
    shutdown(descriptor, Int32(SHUT_RDWR))
  }

  private static func belongs(_ descriptor: Int32, to endpoint: Endpoint) -> Bool {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    let isKnown = withUnsafeMutablePointer(to: &storage) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) == 0 }
    }
    guard isKnown else { return false }
    return withUnsafeBytes(of: storage) { bytes in
      switch (endpoint, Int32(storage.ss_family)) {
      // The port stands at the same place in both families.
      case (.tcp(_, let port), AF_INET), (.tcp(_, let port), AF_INET6):
        UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)) == port
      case (.ipc(let path), AF_UNIX):
        bytes.dropFirst(MemoryLayout<sa_family_t>.size).prefix { $0 != 0 }.elementsEqual(path.utf8)
      default: false
      }
    }
  }
}
