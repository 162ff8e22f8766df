import Foundation
import Media
import Testing

@testable import clusca

struct GenerateProgressTests {
  @Test func progressIsShownOnATerminalOnly() throws {
    let folder = try TemporaryFolder()
    let terminal = try Terminal()
    let process = Process()
    process.executableURL = URL(filePath: try Program.path)
    process.arguments =
      ["generate", "-m", TinyModels.schnell] + TinyModels.small + ["-p", "a", "-o", "\(folder.path)/x.png"]
    process.environment = ProcessInfo.processInfo.environment.merging(["TERM": "xterm", "LC_ALL": "C"]) { $1 }
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = terminal.handle
    try process.run()
    let shown = terminal.text { process.isRunning }
    process.waitUntilExit()
    #expect(process.terminationStatus == 0)
    #expect(shown.contains("\r") && shown.contains("2/2") && shown.contains("encoding prompts"), "\(shown)")

    let plain = try TinyModels.generate(TinyModels.schnell, "-p", "a", "-o", "\(folder.path)/y.png")
    #expect(!plain.errors.contains("\r") && plain.errorLines.count == 1)
  }

  @Test func aPreviewChangesStepByStepAndIsAlwaysWhole() throws {
    let folder = try TemporaryFolder()
    let preview = "\(folder.path)/preview.png"
    var seen: Set<Data> = []
    let outcome = try TinyModels.generate(
      TinyModels.dev, "-p", "a cat", "--steps", "100", "--preview", preview, "--no-metadata", "-o",
      "\(folder.path)/x.png"
    ) { process in
      while process.isRunning {
        if let data = try? Data(contentsOf: URL(filePath: preview)) { seen.insert(data) }
        Thread.sleep(forTimeInterval: 0.002)
      }
    }
    #expect(outcome.status == 0, "\(outcome.errors)")
    #expect(seen.count > 1)
    for data in seen { #expect(try PNG.size(of: [UInt8](data)).width == 32) }
    // Behind the last step nothing is left of the noise.
    #expect(try Data(contentsOf: URL(filePath: preview)) == Data(contentsOf: URL(filePath: "\(folder.path)/x.png")))
    #expect(folder.names == ["preview.png", "x.png"])
  }

  @Test func aPreviewMayBeWrittenSeldom() throws {
    let folder = try TemporaryFolder()
    func preview(_ interval: String) throws -> Data {
      let path = "\(folder.path)/\(interval).png"
      let outcome = try TinyModels.generate(
        TinyModels.dev, "-p", "a", "--steps", "3", "--preview", path, "--preview-interval", interval, "-o",
        "\(folder.path)/x.png")
      #expect(outcome.status == 0, "\(outcome.errors)")
      return try Data(contentsOf: URL(filePath: path))
    }
    #expect(try preview("2") != preview("1"))
    #expect(try preview("3") == preview("1"))
  }

  @Test(arguments: [(SIGINT, Status.interrupted), (SIGTERM, .terminated)])
  func aSignalStopsARenderAndLeavesNothingHalf(signal: Int32, status: Status) throws {
    let folder = try TemporaryFolder()
    let preview = "\(folder.path)/preview.png"
    var stopped = ContinuousClock.now
    let outcome = try TinyModels.generate(
      TinyModels.dev, "-p", "a", "--steps", "10000", "--preview", preview, "-o", "\(folder.path)/x.png"
    ) { process in
      let limit = ContinuousClock.now + .seconds(60)
      while !FileManager.default.fileExists(atPath: preview), .now < limit { Thread.sleep(forTimeInterval: 0.01) }
      kill(process.processIdentifier, signal)
      stopped = .now
    }
    #expect(outcome.status == status.rawValue)
    #expect(outcome.hasOneSentence && outcome.errors.contains(status.meaning), "\(outcome.errors)")
    #expect(outcome.output.isEmpty)
    #expect(folder.names == ["preview.png"])
    // Far more than it takes, and far less than the render would.
    #expect(stopped.duration(to: .now) < .seconds(20))
  }
}

/// A terminal without a window.
private struct Terminal {
  let handle: FileHandle
  private let controller: Int32

  init() throws {
    // posix_openpt and its kin are not among what Swift sees of the C library; these are the requests behind them.
    let (unlock, getNumber): (UInt, UInt) = (0x4004_5431, 0x8004_5430)
    controller = open("/dev/ptmx", O_RDWR | O_NOCTTY | O_CLOEXEC)
    var (locked, number): (Int32, Int32) = (0, 0)
    guard controller >= 0, ioctl(controller, unlock, &locked) == 0, ioctl(controller, getNumber, &number) == 0 else {
      throw CommandFailure(.failure, "There is no terminal.")
    }
    let descriptor = open("/dev/pts/\(number)", O_RDWR | O_NOCTTY | O_CLOEXEC)
    handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
  }

  /// What is written to it until `isRunning` is false.
  func text(while isRunning: () -> Bool) -> String {
    var bytes: [UInt8] = []
    while true {
      let isLast = !isRunning()
      var waiting = pollfd(fd: controller, events: Int16(POLLIN), revents: 0)
      while poll(&waiting, 1, 20) > 0, waiting.revents & Int16(POLLIN) != 0 {
        var part = [UInt8](repeating: 0, count: 4096)
        let count = read(controller, &part, part.count)
        guard count > 0 else { break }
        bytes += part[..<count]
      }
      if isLast { return String(decoding: bytes, as: UTF8.self) }
    }
  }
}
