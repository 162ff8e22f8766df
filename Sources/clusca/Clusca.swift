import ArgumentParser
import Glibc

@main
struct Clusca: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "clusca",
    abstract: "Renders images with diffusion transformers on ordinary CPUs.",
    discussion: ExitStatus.discussion,
    version: Version.current,
    subcommands: [
      Generate.self, CoordinatorCommand.self, WorkerCommand.self, Submit.self, ClusterStatusCommand.self,
      CancelCommand.self, Jobs.self, Fetch.self, Workers.self, JournalCommand.self, Plan.self, Keys.self, Check.self,
      Inspect.self,
      Compare.self, Bench.self, Convert.self, Pack.self,
      Verify.self,
      Doctor.self, Completions.self,
    ])

  /// Replaces the main function of ArgumentParser, whose statuses and several lines of error are not ours.
  static func main() async {
    Interruption.install()
    do {
      let arguments = try ProgramArguments.all()
      try await Interruption.run { try await run(arguments) }
    } catch {
      Glibc.exit(status(afterReporting: error).rawValue)
    }
  }

  private static func run(_ arguments: [String]) async throws {
    var command = try parseAsRoot(arguments)
    if var command = command as? any AsyncParsableCommand {
      try await command.run()
    } else {
      // It has no point at which it could be cancelled.
      try Interruption.endingAtOnce { try command.run() }
    }
  }

  private static func status(afterReporting error: any Error) -> ExitStatus {
    if let signal = Interruption.received {
      let status = ExitStatus(signal: signal)
      StandardError.write("clusca: \(status.meaning)")
      return status
    }
    // Help and version come as errors too.
    if exitCode(for: error) == .success {
      do {
        try StandardOutput.write(fullMessage(for: error))
        return .success
      } catch {
        return report(error)
      }
    }
    return report(error)
  }

  private static func report(_ error: any Error) -> ExitStatus {
    let report = ErrorReport(error)
    report.print()
    return report.status
  }
}
