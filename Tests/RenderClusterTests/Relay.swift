import Glibc
import Synchronization

/// A TCP connection from here to elsewhere, of which either direction can be cut without anybody being told: what is sent
/// that way gets lost in the middle, and the connection stays.
final class Relay: Sendable {
  enum Direction: Sendable {
    /// From whoever connected to the target.
    case forward
    case backward
  }

  let port: UInt16
  private let listener: Int32
  let target: UInt16
  private let bytesPerSecond: Int?
  private let state = Mutex(State())

  private struct State {
    var descriptors: [Int32] = []
    var isStopped = false
    var cut: Set<Direction> = []
    var lost: [Direction: Int] = [:]
    var connections = 0
    var flip: (direction: Direction, atLeast: Int)?
    var flips = 0
  }

  /// - Parameter bytesPerSecond: in each direction; as fast as can be unless given.
  init(to target: UInt16, bytesPerSecond: Int? = nil) {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = Self.address(0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length)
        getsockname(descriptor, $0, &length)
      }
    }
    listen(descriptor, 16)
    self.target = target
    self.bytesPerSecond = bytesPerSecond
    listener = descriptor
    port = UInt16(bigEndian: address.sin_port)
    Self.thread { [self] in accept() }
  }

  /// A port on which nobody listens.
  static func freePort() -> UInt16 {
    let relay = Relay(to: 0)
    defer { relay.stop() }
    return relay.port
  }

  /// Cuts directions; the others go on. Connections in which something got lost cannot be healed: when all directions are
  /// open again, they are closed, and the ends connect anew.
  func cut(_ directions: Set<Direction>) {
    let closed = state.withLock { state -> [Int32] in
      state.cut = directions
      return directions.isEmpty ? state.descriptors : []
    }
    for descriptor in closed { shutdown(descriptor, Int32(SHUT_RDWR)) }
  }

  /// Flips a bit at the end of what comes next in a direction, if that is so many bytes: of the payload, as it comes last.
  func flipBit(_ direction: Direction, of atLeast: Int) { state.withLock { $0.flip = (direction, atLeast) } }

  /// Bits that were flipped.
  var flips: Int { state.withLock { $0.flips } }

  /// Bytes that got lost in a direction.
  func lost(_ direction: Direction) -> Int { state.withLock { $0.lost[direction] ?? 0 } }

  /// How many there have been.
  var connections: Int { state.withLock { $0.connections } }

  func stop() {
    let descriptors = state.withLock { state in
      state.isStopped = true
      return state.descriptors
    }
    for descriptor in descriptors + [listener] { shutdown(descriptor, Int32(SHUT_RDWR)) }
  }

  private func accept() {
    while true {
      let near = Glibc.accept(listener, nil, nil)
      guard near >= 0, !state.withLock({ $0.isStopped }) else { break }
      let far = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
      var address = Self.address(target)
      let result = withUnsafePointer(to: &address) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          connect(far, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
        }
      }
      guard result == 0 else {
        close(far)
        close(near)
        continue
      }
      state.withLock { state in
        state.descriptors += [near, far]
        state.connections += 1
      }
      let pair = Pair(near: near, far: far)
      Self.thread { [self] in pump(near, far, .forward, pair) }
      Self.thread { [self] in pump(far, near, .backward, pair) }
    }
    close(listener)
  }

  /// Both ends of a connection; closed when neither direction needs them any more.
  private final class Pair: Sendable {
    let near: Int32
    let far: Int32
    /// Directions that go on.
    let open = Atomic<Int>(2)

    init(near: Int32, far: Int32) {
      self.near = near
      self.far = far
    }
  }

  private func pump(_ from: Int32, _ to: Int32, _ direction: Direction, _ pair: Pair) {
    var bytes = [UInt8](repeating: 0, count: 1 << 14)
    while true {
      let count = recv(from, &bytes, bytes.count, 0)
      if count <= 0 { break }
      let isCut = state.withLock { state in
        guard state.cut.contains(direction) else { return false }
        state.lost[direction, default: 0] += count
        return true
      }
      if isCut { continue }
      let isFlipped = state.withLock { state in
        guard let flip = state.flip, flip.direction == direction, count >= flip.atLeast else { return false }
        (state.flip, state.flips) = (nil, state.flips + 1)
        return true
      }
      if isFlipped { bytes[count - 1] ^= 16 }
      if let bytesPerSecond { usleep(UInt32(count * 1_000_000 / bytesPerSecond)) }
      var sent = 0
      while sent < count {
        let result = bytes.withUnsafeBytes { send(to, $0.baseAddress! + sent, count - sent, Int32(MSG_NOSIGNAL)) }
        if result <= 0 { break }
        sent += result
      }
    }
    shutdown(to, Int32(SHUT_RDWR))
    shutdown(from, Int32(SHUT_RDWR))
    guard pair.open.subtract(1, ordering: .relaxed).newValue == 0 else { return }
    state.withLock { state in state.descriptors.removeAll { $0 == pair.near || $0 == pair.far } }
    close(pair.near)
    close(pair.far)
  }

  private static func address(_ port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    return address
  }

  private static func thread(_ body: @escaping @Sendable () -> Void) {
    final class Box: Sendable {
      let body: @Sendable () -> Void
      init(_ body: @escaping @Sendable () -> Void) { self.body = body }
    }
    var thread = pthread_t()
    pthread_create(
      &thread, nil,
      { argument in
        guard let argument else { return nil }
        Unmanaged<Box>.fromOpaque(argument).takeRetainedValue().body()
        return nil
      }, Unmanaged.passRetained(Box(body)).toOpaque())
    pthread_detach(thread)
  }
}
