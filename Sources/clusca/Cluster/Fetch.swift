import ArgumentParser
import Files
import Media

/// `clusca fetch`: gets what jobs have made.
struct Fetch: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Gets the pictures of jobs from a coordinator.",
    discussion: """
      Waits for jobs that have not ended, also over a restart of the coordinator. The pictures stay with the coordinator \
      until their jobs are forgotten (clusca jobs forget), so that they can be fetched again and from elsewhere.
      """)

  @OptionGroup(title: "Connection")
  var connection: ConnectionOptions

  @Argument(help: ArgumentHelp("Numbers of jobs, as submit and jobs show them.", valueName: "job"))
  var jobs: [UInt64]

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp(
      "Where the pictures go: %d or %04d stands for the number of the job. A name that is taken gets a number.",
      valueName: "pattern"))
  var output = "job-%d.png"

  @Flag(help: "Replace files that exist.")
  var force = false

  @Flag(help: "Print a JSON object for each picture.")
  var json = false

  @Flag(name: .shortAndLong, help: "Show no progress.")
  var quiet = false

  func validate() throws {
    guard Set(jobs).count == jobs.count else { throw ValidationError("a job is named twice") }
  }

  func run() async throws {
    let pattern = try OutputPattern(output)
    let requests = jobs.map { job in
      SubmittedPictures.Request(wish: .job(job), path: pattern.path(index: Int(clamping: job), seed: 0))
    }
    for request in requests {
      try AtomicFile.check(request.path, ifExists: force ? .overwrite : .number, createFolders: true)
    }
    let client = try await CoordinatorClient.connect(connection)
    do {
      try await SubmittedPictures(client, requests, .init(force: force, json: json, quiet: quiet)).run()
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }
}
