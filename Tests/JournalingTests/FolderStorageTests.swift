import Files
import Foundation
import Testing

@testable import Journaling

@Suite struct FolderStorageTests {
  private static func folder() -> String {
    FileManager.default.temporaryDirectory.path + "/journal-\(UUID().uuidString)"
  }

  private static func record(_ number: Int) -> JournalRecord {
    JournalRecord(type: 7, date: 1, payload: Array("record \(number)".utf8))
  }

  @Test func aFolderKeepsWhatItWasGiven() throws {
    let path = Self.folder()
    defer { try? FileManager.default.removeItem(atPath: path) }
    for start in 0..<3 {
      var (journal, contents) = try Journal.open(FolderStorage(path), segmentBytes: 1 << 16)
      #expect(contents.records == (0..<start * 10).map(Self.record))
      try journal.write((start * 10..<start * 10 + 10).map(Self.record))
      try journal.synchronise()
    }
    var (journal, _) = try Journal.open(FolderStorage(path), segmentBytes: 1 << 16)
    try journal.begin([Self.record(99)])
    #expect(try Folder.names(in: path) == ["journal-00000002.log", "lock"])
    let attributes = try FileManager.default.attributesOfItem(atPath: path)
    #expect(attributes[.posixPermissions] as? Int == 0o700)
  }

  @Test func aFolderHasOneOwner() throws {
    let path = Self.folder()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let first = try FolderStorage(path)
    #expect(throws: JournalError.locked(path)) { try FolderStorage(path) }
    withExtendedLifetime(first) {}
  }

  /// A descriptor of the lock's file outlives the owner in a process that was forked meanwhile, until that closes it.
  @Test func anOwnerThatIsGoneHoldsNothingThoughItsFileIsStillOpen() throws {
    let path = Self.folder()
    defer { try? FileManager.default.removeItem(atPath: path) }
    let heir: Int32
    do {
      let first = try FolderStorage(path)
      heir = dup(first.lock)
    }
    defer { close(heir) }
    _ = try FolderStorage(path)
  }

  @Test func anOwnerThatIsGoneHoldsNothing() throws {
    let path = Self.folder()
    defer { try? FileManager.default.removeItem(atPath: path) }
    _ = try FolderStorage(path)
    _ = try FolderStorage(path)
  }

  /// On a file system of its own, where the system allows one to be mounted.
  @Test func aDiskThatIsFullTakesWhatThereIsRoomForAndNoMore() throws {
    let path = Self.folder()
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: path) }
    guard try Self.run("mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", path) else { return }
    defer { _ = try? Self.run("umount", path) }
    var (journal, _) = try Journal.open(FolderStorage(path), segmentBytes: 1 << 16)
    #expect(DiskSpace(of: path)?.isLow(wasLow: false) == false)
    try Data(count: 190 << 10).write(to: URL(filePath: "\(path)/filler"))
    #expect(DiskSpace(of: path)?.isLow(wasLow: false) == true)
    for number in 0..<500 {
      try journal.write([Self.record(number)])
      try journal.synchronise()
    }
    #expect(throws: JournalError.self) { try journal.begin([Self.record(1)]) }
    try FileManager.default.removeItem(atPath: "\(path)/filler")
    try journal.begin([Self.record(1)])
  }

  private static func run(_ arguments: String...) throws -> Bool {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus == 0
  }
}
