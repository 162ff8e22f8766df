import Foundation
import Testing

@testable import clusca

/// What strangers who reach the port cost a coordinator's process: hardly any memory, and nobody else's work.
@Suite(.timeLimit(.minutes(2)), .serialized) struct StrangerTests {
  private static let mostBytes = 32 << 20

  /// A plain TCP connection.
  private func connection(to port: UInt16) -> Int32 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    return result == 0 ? descriptor : -1
  }

  private func residentBytes(_ process: Process) throws -> Int {
    let text = try String(contentsOfFile: "/proc/\(process.processIdentifier)/statm", encoding: .utf8)
    let pages = try #require(text.split(separator: " ").dropFirst().first.flatMap { Int($0) })
    return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
  }

  /// ZMTP 3.1's first 64 bytes.
  private func greeting(_ mechanism: String) -> [UInt8] {
    let start: [UInt8] = [0xFF, 0, 0, 0, 0, 0, 0, 0, 1, 0x7F, 3, 1] + Array(mechanism.utf8)
    return start + Array(repeating: 0, count: 64 - start.count)
  }

  /// The beginning of a frame that claims to be of so many bytes.
  private func frame(claiming bytes: UInt64, isCommand: Bool) -> [UInt8] {
    [isCommand ? 6 : 2] + withUnsafeBytes(of: bytes.bigEndian, Array.init)
  }

  /// Says something, and goes on with what fills the frame until the other side has enough of it.
  private func claim(_ bytes: [UInt8], to port: UInt16) throws {
    let descriptor = connection(to: port)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    let filling = [UInt8](repeating: 7, count: 1 << 16)
    var (sent, isOpen) = (send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)), true)
    #expect(sent == bytes.count)
    let start = ContinuousClock.now
    while isOpen, sent < 64 << 20, start.duration(to: .now) < .seconds(20) {
      let count = send(descriptor, filling, filling.count, Int32(MSG_NOSIGNAL | MSG_DONTWAIT))
      sent += max(0, count)
      isOpen = count >= 0 || errno == EAGAIN
      if count < 0, isOpen { usleep(1000) }
    }
    #expect(!isOpen, "so much is taken of a frame that is too large")
  }

  @Test func framesThatClaimMuchAndConnectionsThatSayNothingCostNoMemory() async throws {
    let keys = try KeyedFolder(workers: ["w0"], clients: ["anna"])
    let coordinator = try RunningProgram(keys.coordinator(at: "tcp://127.0.0.1:0"))
    let port = try await coordinator.port()
    let address = "tcp://127.0.0.1:\(port)"
    let worker = try RunningProgram(keys.worker("w0", of: address))
    try await coordinator.says("The worker w0 is here")
    func submit() throws -> Program.Outcome {
      try Program.run(
        ["submit"] + keys.identity("anna", to: address) + TinyModels.small
          + ["-p", "a cat", "--force", "-o", "\(keys.folder.path)/x.png"])
    }
    // What the first picture needs is there then.
    #expect(try submit().status == 0)
    let before = try residentBytes(coordinator.process)
    for _ in 0..<20 {
      try claim(greeting("CURVE") + frame(claiming: 1 << 30, isCommand: true), to: port)
      try claim(greeting("CURVE") + frame(claiming: 16 << 30, isCommand: false), to: port)
      try claim(greeting("NULL") + frame(claiming: 1 << 62, isCommand: false), to: port)
    }
    let silent = (0..<200).map { _ in connection(to: port) }
    defer { for descriptor in silent { close(descriptor) } }
    #expect(!silent.contains(-1))
    let outcome = try submit()
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(try DurableCoordinator.pixels("\(keys.folder.path)/x.png") == DurableCoordinator.reference("-p", "a cat"))
    let growth = try residentBytes(coordinator.process) - before
    print("60 claims and 200 silent connections: \(growth >> 10) KiB more")
    #expect(growth < Self.mostBytes)
    #expect(worker.process.isRunning)
  }

  /// Where there are no keys whoever reaches the port gets through the handshake.
  @Test func aMessageThatClaimsMuchCostsNoMemoryOnAnUnprotectedPort() async throws {
    let folder = try TemporaryFolder()
    let coordinator = try RunningProgram(
      "coordinator", "--listen", "tcp://127.0.0.1:0", "-m", TinyModels.dev, "--state", "\(folder.path)/state")
    let port = try await coordinator.port()
    func status() throws -> Int32 { try Program.run("status", "--coordinator", "tcp://127.0.0.1:\(port)").status }
    #expect(try status() == 0)
    let before = try residentBytes(coordinator.process)
    let property: [UInt8] = [11] + Array("Socket-Type".utf8) + [0, 0, 0, 6] + Array("DEALER".utf8)
    let ready: [UInt8] = [5] + Array("READY".utf8) + property
    let handshake = greeting("NULL") + [4, UInt8(ready.count)] + ready
    for bytes in [1 << 30, 16 << 30, 1 << 62] as [UInt64] {
      for _ in 0..<20 { try claim(handshake + frame(claiming: bytes, isCommand: false), to: port) }
      #expect(try status() == 0)
    }
    let growth = try residentBytes(coordinator.process) - before
    print("60 claims behind a handshake: \(growth >> 10) KiB more")
    #expect(growth < Self.mostBytes)
  }
}
