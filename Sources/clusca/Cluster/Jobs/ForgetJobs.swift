import ArgumentParser

/// `clusca jobs forget`.
struct ForgetJobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forget", abstract: "Removes jobs that have ended, with their pictures.",
    discussion: "Nothing else removes them. The same request under the same key is a new job then.")

  @OptionGroup var options: JobCommandOptions

  func run() async throws { try await options.ask { .forget($0) } }
}
