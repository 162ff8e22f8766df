import Foundation
import Testing

@testable import Files

@Suite struct FullDiskTests {
  @Test func aDeviceThatIsFullReportsIt() throws {
    let descriptor = open("/dev/full", O_WRONLY | O_CLOEXEC)
    try #require(descriptor >= 0)
    defer { close(descriptor) }
    #expect(throws: FileFailure.diskFull) {
      try [1, 2, 3].withUnsafeBytes { try TemporaryFile.write($0, to: descriptor, folder: "/dev") }
    }
  }

  /// On a file system of 64 kB of its own, where the system allows one to be mounted.
  @Test func aFullDiskLeavesTheOldFileAndNoTemporaryOne() throws {
    let folder = try TemporaryFolder()
    guard try FullDiskTests.run("mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder.path) else { return }
    defer { _ = try? FullDiskTests.run("umount", folder.path) }
    let path = folder.path + "/x.png"
    try AtomicFile.write("old", to: path)
    let large = [UInt8](repeating: 1, count: 1 << 17)
    for policy: AtomicFile.ExistingFile in [.overwrite, .number] {
      #expect(
        fileError { try AtomicFile.write(large, to: path, ifExists: policy) }
          == FileError(path: path, .writing, .diskFull))
    }
    #expect(try folder.text("x.png") == "old")
    #expect(folder.names == ["x.png"])

    guard try FullDiskTests.run("mount", "-o", "remount,ro", folder.path) else { return }
    #expect(
      fileError { try AtomicFile.write("x", to: path) }?.description
        == "\(path) cannot be written: the file system is read-only")
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
