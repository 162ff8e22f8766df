import Files
import Foundation
import Journaling
import Messaging
import Synchronization
import Testing

@testable import RenderCluster

/// A coordinator with a folder of its own, over real sockets and on a real disk.
@Suite(.timeLimit(.minutes(1))) struct CoordinatorJournalTests {
  private final class Folder {
    let path = FileManager.default.temporaryDirectory.path + "/cj-\(UInt32.random(in: 0..<UInt32.max))"

    init() throws {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
  }

  /// What a coordinator has told, and whether its disk has room.
  private final class World: Sendable {
    let notes = ListBox<String>()
    let failures = ListBox<JournalError>()
    /// Of 100 bytes.
    let available = Mutex<UInt64>(50)

    func says(_ text: String) async throws {
      while !notes.values.contains(where: { $0.contains(text) }) { try await Task.sleep(for: .milliseconds(5)) }
    }
  }

  private func start(_ folder: Folder, _ world: World) async throws -> Coordinator {
    let path = folder.path
    return try await start(folder, world) { () throws(JournalError) in try FolderStorage("\(path)/state") }
  }

  private func start(
    _ folder: Folder, _ world: World, storage: @escaping @Sendable () throws(JournalError) -> any JournalStorage
  ) async throws -> Coordinator {
    let path = folder.path
    var configuration = CoordinatorConfiguration(
      endpoints: [try Endpoint("ipc://\(path)/c")], outputs: try Endpoint("ipc://\(path)/o"), security: .plaintext,
      epoch: 5, build: TinyCluster.build, numerics: TinyCluster.numerics, note: { world.notes.add($0) })
    configuration.journal = .init(
      folders: ["/somewhere"], storage: storage, failed: { world.failures.add($0) })
    configuration.journal?.space = { folder in
      #expect(folder == "/somewhere")
      return DiskSpace(available: world.available.withLock { $0 }, total: 100)
    }
    return try await Coordinator.start(configuration)
  }

  private func settled(_ coordinator: Coordinator) async throws -> UInt64 {
    while await coordinator.journalUsage.synchronisations == 0 { try await Task.sleep(for: .milliseconds(2)) }
    return await coordinator.status.epoch
  }

  @Test func theEpochIsRaisedAtEachStart() async throws {
    let folder = try Folder()
    // One that has stopped lets its folder go at once, although it is still held.
    var stopped: [Coordinator] = []
    for epoch in 5...7 as ClosedRange<UInt64> {
      let coordinator = try await start(folder, World())
      #expect(try await settled(coordinator) == epoch)
      await coordinator.stop()
      stopped.append(coordinator)
    }
    #expect(stopped.count == 3)
  }

  @Test func aDiskThatFillsIsNoticedAndSoIsItsRoom() async throws {
    let (folder, world) = (try Folder(), World())
    let coordinator = try await start(folder, world)
    world.available.withLock { $0 = 4 }
    try await world.says("The disk is full")
    // A little more room than before is not enough to begin again.
    world.available.withLock { $0 = 5 }
    try await Task.sleep(for: .milliseconds(1500))
    #expect(!world.notes.values.contains { $0.contains("room again") })
    world.available.withLock { $0 = 7 }
    try await world.says("room again")
    await coordinator.stop()
  }

  @Test func aDiskThatFailsIsToldAtOnceAndNothingIsDoneAnyMore() async throws {
    let (folder, world) = (try Folder(), World())
    let coordinator = try await start(folder, world) { () throws(JournalError) in
      let disk = SimulatedDisk()
      // From the first record on.
      _ = try Journal.open(disk, segmentBytes: 4096)
      disk.failsAlways = true
      return disk
    }
    while world.failures.values.isEmpty { try await Task.sleep(for: .milliseconds(2)) }
    #expect(await coordinator.journalUsage.synchronisations == 0)
    await coordinator.stop()
  }
}
