import Foundation
import Media
import Testing

@testable import clusca

struct BadOutputTests {
  @Test func aPlaceThatCannotBeWrittenIsSaidBeforeTheWork() throws {
    let folder = try TemporaryFolder()
    let file = try folder.file("file", "")
    let name = String(repeating: "x", count: 300)
    for (option, path) in [
      ("-o", "/proc/x.png"), ("-o", "/proc/new/x.png"), ("-o", "\(file)/x.png"), ("-o", folder.path),
      ("-o", "/dev/full"),
      ("-o", "\(folder.path)/\(name).png"), ("--preview", "/proc/x.png"), ("--preview", "\(file)/x.png"),
    ] {
      // So many steps would take minutes.
      let outcome = try TinyModels.generate(
        TinyModels.dev, "-p", "a", "--steps", "10000", "--cache", "none", "-o", "\(folder.path)/y.png", option, path)
      #expect(outcome.status == ExitStatus.output.rawValue, "\(path): \(outcome.errors)")
      #expect(outcome.hasOneSentence && outcome.errors.contains(path), "\(path): \(outcome.errors)")
    }
    #expect(folder.names == ["file"])
  }

  /// On a file system of its own, where the system allows one to be mounted.
  @Test func aPictureThatDoesNotFitOnTheDiskIsSavedElsewhere() throws {
    let (small, temporary) = (try TemporaryFolder(), try TemporaryFolder())
    guard try Self.run("mount", "-t", "tmpfs", "-o", "size=4k", "tmpfs", small.path) else { return }
    defer { _ = try? Self.run("umount", small.path) }
    try small.file("full", [UInt8](repeating: 1, count: 4096))
    let arguments = ["-p", "a cat", "-o", "\(small.path)/x.png", "--preview", "\(small.path)/preview.png"]
    let outcome = try Program.run(
      ["generate", "-m", TinyModels.schnell] + TinyModels.small + arguments, environment: ["TMPDIR": temporary.path])
    #expect(outcome.status == ExitStatus.output.rawValue)
    #expect(outcome.errors.contains("\(small.path)/x.png cannot be written: the disk is full"), "\(outcome.errors)")
    #expect(outcome.errors.contains("saved as \(temporary.path)/x.png"), "\(outcome.errors)")
    #expect(outcome.errors.contains("no further previews"))
    #expect(small.names == ["full"] && temporary.names == ["x.png"])
    #expect(try TinyModels.settings("\(temporary.path)/x.png")["prompt"] == "a cat")

    let lost = try Program.run(
      ["generate", "-m", TinyModels.schnell] + TinyModels.small + arguments.dropLast(2),
      environment: ["TMPDIR": "\(small.path)"])
    #expect(lost.status == ExitStatus.output.rawValue && lost.hasOneSentence, "\(lost.errors)")
    #expect(lost.errors.contains("lost") && small.names == ["full"])
  }

  @Test func aFullDiskBehindTheStandardOutputIsAnError() throws {
    let folder = try TemporaryFolder()
    let line = "\"$0\" generate -m \"$1\" -W 32 -H 32 --steps 1 -p a -q -o \"$2\" > /dev/full"
    let outcome = try Program.runShell(line, TinyModels.schnell, "\(folder.path)/x.png")
    #expect(outcome.status == ExitStatus.output.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
    #expect(folder.names == ["x.png"])
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
