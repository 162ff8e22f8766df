import Foundation
import Media
import Testing

@testable import clusca

struct InterruptionTests {
  /// A program that waits for a picture out of a pipe into which nobody writes.
  private func signalled(_ signals: Int32..., shell line: String = "exec \"$0\" compare \"$1\" \"$1\"") throws
    -> Program.Outcome
  {
    let folder = try TemporaryFolder()
    let pipe = "\(folder.path)/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    return try Program.runShell(line, pipe) { process in
      let writer = self.openForWriting(pipe)
      #expect(writer >= 0)
      for signal in signals { kill(process.processIdentifier, signal) }
      process.waitUntilExit()
      close(writer)
    }
  }

  /// Opens a pipe once the program has it open for reading, by which time its handlers stand; -1 if it never does.
  private func openForWriting(_ pipe: String) -> Int32 {
    for _ in 0..<6000 {
      let writer = open(pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC)
      if writer >= 0 { return writer }
      usleep(10_000)
    }
    return -1
  }

  @Test func signalsEndTheProgramWithTheStatusesOfShells() throws {
    #expect(try signalled(SIGINT).status == ExitStatus.interrupted.rawValue)
    #expect(try signalled(SIGTERM).status == ExitStatus.terminated.rawValue)
    #expect(try signalled(SIGHUP).status == ExitStatus.hungUp.rawValue)
  }

  @Test func anIgnoredSignalStaysIgnored() throws {
    let outcome = try signalled(SIGHUP, SIGTERM, shell: "trap '' HUP; exec \"$0\" compare \"$1\" \"$1\"")
    #expect(outcome.status == ExitStatus.terminated.rawValue)
  }

  @Test func theFirstSignalCancelsTheTask() async throws {
    // The process is that of all tests: it must not end however long it takes on a busy machine.
    Interruption.install(patience: .max)
    await #expect(throws: CancellationError.self) {
      try await Interruption.run {
        kill(getpid(), SIGTERM)
        try await Task.sleep(for: .seconds(60))
      }
    }
    #expect(Interruption.received == SIGTERM)
    // What begins afterwards is cancelled at once.
    await #expect(throws: CancellationError.self) {
      try await Interruption.run { try await Task.sleep(for: .seconds(60)) }
    }
  }
}
