import ArgumentParser

/// `clusca jobs pause`.
struct PauseJobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Has jobs wait at their next step.",
    discussion: "What they have computed stays as long as the coordinator runs; other jobs take their place.")

  @OptionGroup var options: JobCommandOptions

  func run() async throws { try await options.ask { .pause($0) } }
}
