import ArgumentParser
import Files
import Media

/// `clusca fetch`: gets what jobs have made.
struct Fetch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Gets the pictures of jobs from a coordinator.",
    discussion: """
      Waits for jobs that have not ended, also over a restart of the coordinator. The pictures stay with the coordinator \
      until their jobs are forgotten (clusca jobs forget), so that they can be fetched again and from elsewhere. In the \
      names %d stands for the number of the job; job-%d.png or job-%d.mp4 unless --output is given.
      """)

  @OptionGroup(title: "Connection")
  var connection: ConnectionOptions

  @Argument(help: ArgumentHelp("Numbers of jobs, as submit and jobs show them.", valueName: "job"))
  var jobs: [UInt64]

  @OptionGroup(title: "Output")
  var outputOptions: OutputOptions

  func validate() throws {
    guard Set(jobs).count == jobs.count else { throw ValidationError("a job is named twice") }
  }

  func run() async throws {
    let pattern = try outputOptions.output.map { pattern throws(MediaError) in try OutputPattern(pattern) }
    if let pattern {
      let path = pattern.path(index: 0, seed: 0 as UInt64)
      try AtomicFile.check(path, ifExists: .number, createFolders: true)
    }
    let requests = jobs.map { job in
      SubmittedPictures.Request(wish: .job(job), destination: .ofJob(job, pattern))
    }
    let client = try await CoordinatorClient.connect(connection)
    do {
      try await SubmittedPictures(client, requests, outputOptions, isDetached: false).run()
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }
}
