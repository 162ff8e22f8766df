import ArgumentParser

/// `clusca jobs resume`.
struct ResumeJobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Has paused jobs go on when it is their turn.")

  @OptionGroup var options: JobCommandOptions

  func run() async throws { try await options.ask { .resume($0) } }
}
