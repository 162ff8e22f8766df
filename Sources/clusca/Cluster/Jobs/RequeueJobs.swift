import ArgumentParser

/// `clusca jobs requeue`.
struct RequeueJobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "requeue", abstract: "Has jobs that failed or were cancelled begin anew.")

  @OptionGroup var options: JobCommandOptions

  func run() async throws { try await options.ask { .requeue($0) } }
}
