import Foundation
import Media
import Testing

@testable import clusca

struct InterruptionTests {
  /// A program that waits for a picture out of a pipe into which nobody writes.
  private func signalled(_ signal: Int32) throws -> Program.Outcome {
    let folder = try TemporaryFolder()
    let pipe = "\(folder.path)/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    return try Program.run("compare", pipe, pipe) { process in
      // Signals before the handlers stand end the program as well, by the signal itself.
      Thread.sleep(forTimeInterval: 0.5)
      kill(process.processIdentifier, signal)
    }
  }

  @Test func signalsEndTheProgramWithTheStatusesOfShells() throws {
    #expect(try signalled(SIGINT).status == ExitStatus.interrupted.rawValue)
    #expect(try signalled(SIGTERM).status == ExitStatus.terminated.rawValue)
    #expect(try signalled(SIGHUP).status == ExitStatus.hungUp.rawValue)
  }

  @Test func anIgnoredSignalStaysIgnored() throws {
    let folder = try TemporaryFolder()
    let pipe = "\(folder.path)/pipe"
    #expect(mkfifo(pipe, 0o600) == 0)
    let line = "trap '' HUP; \"$0\" compare \"$1\" \"$1\" & sleep 0.5; kill -HUP $!; kill -TERM $!; wait $!"
    #expect(try Program.runShell(line, pipe).status == ExitStatus.terminated.rawValue)
  }

  @Test func theFirstSignalCancelsTheTask() async throws {
    Interruption.install()
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
