import Glibc

/// The address of this machine by which others see it.
enum OwnAddress {
  /// The address from which `host` is reached. Nothing is sent: a datagram socket that is connected has chosen its route.
  ///
  /// - Returns: nil if the name is unknown or there is no route.
  static func towards(_ host: String, port: UInt16) -> String? {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, "\(port)", &hints, &found) == 0 else { return nil }
    defer { freeaddrinfo(found) }
    var next = found
    while let candidate = next {
      if let address = address(towards: candidate.pointee) { return address }
      next = candidate.pointee.ai_next
    }
    return nil
  }

  private static func address(towards target: addrinfo) -> String? {
    let descriptor = socket(target.ai_family, target.ai_socktype, target.ai_protocol)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    guard connect(descriptor, target.ai_addr, target.ai_addrlen) == 0 else { return nil }
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var name = [CChar](repeating: 0, count: Int(NI_MAXHOST))
    let isKnown = withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        getsockname(descriptor, address, &length) == 0
          && getnameinfo(address, length, &name, socklen_t(name.count), nil, 0, NI_NUMERICHOST) == 0
      }
    }
    guard isKnown else { return nil }
    return String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}
