import ArgumentParser
import RenderCluster

/// `clusca jobs priority`.
struct PrioritiseJobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "priority", abstract: "Changes whose turn it is.",
    discussion: """
      Jobs with a higher priority begin first. Of one priority the clients take turns. A job that has begun is not \
      interrupted by another.
      """)

  @Option(help: ArgumentHelp("From -100 to 100; jobs have 0 unless something else is asked for.", valueName: "n"))
  var priority: Int

  @OptionGroup var options: JobCommandOptions

  func validate() throws {
    guard LedgerJob.priorities.contains(priority) else {
      throw ValidationError("--priority \(priority) is not a number from -100 to 100")
    }
  }

  func run() async throws { try await options.ask { .prioritise($0, priority) } }
}
