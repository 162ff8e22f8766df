import ArgumentParser
import Glibc
import Messaging
import RenderCluster
import StrictJSON

/// `clusca jobs`: the jobs that a coordinator remembers, and what may be done about them.
struct Jobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lists jobs of a coordinator, or pauses, resumes, orders, requeues and forgets them.",
    discussion: "A client may do so with its own jobs, an admin with all. clusca cancel ends one.",
    subcommands: [
      ListJobs.self, PauseJobs.self, ResumeJobs.self, PrioritiseJobs.self, RequeueJobs.self, ForgetJobs.self,
    ],
    defaultSubcommand: ListJobs.self)
}

/// `clusca jobs list`.
struct ListJobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "list", abstract: "Lists jobs.")

  @OptionGroup(title: "Connection")
  var connection: ConnectionOptions

  @Argument(help: ArgumentHelp("Numbers of jobs; all unless given.", valueName: "job"))
  var jobs: [UInt64] = []

  @Option(
    help: ArgumentHelp(
      "Only those that are \(JobState.allCases.map(\.rawValue).joined(separator: ", ")).", valueName: "state"))
  var state: JobState?

  @Flag(help: "Print a JSON object for each job.")
  var json = false

  func run() async throws {
    let client = try await CoordinatorClient.connect(connection)
    do {
      try await list(client)
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }

  private func list(_ client: CoordinatorClient) async throws {
    var query = JobQuery(state: state, jobs: jobs.isEmpty ? nil : jobs)
    var rows: [[String]] = []
    while true {
      let (_, payload) = try await client.ask(.jobs, Payload(JSONValue.object(query.json).text()))
      let answer = try JSONValue(parsing: payload.bytes)
      let found = answer["jobs"]?.array ?? []
      for job in found {
        if json { try StandardOutput.write(job.text()) } else { rows.append(Self.row(job)) }
      }
      guard answer["more"] == true, let last = found.last?["id"]?.int else { break }
      query.behind = UInt64(last)
    }
    guard !json else { return }
    let header = ["job", "client", "model", "state", "steps", "priority", "attempts", "age", ""]
    try StandardOutput.write(
      rows.isEmpty ? "No jobs." : ClusterReport.table(header, rows).joined(separator: "\n"))
  }

  private static func row(_ job: JSONValue) -> [String] {
    let lost = job["lost_workers"]?.array?.compactMap { $0["worker"]?.string } ?? []
    let notes = [
      job["text"]?.string, job["obstacle"]?.string,
      lost.isEmpty ? nil : "Lost workers: \(lost.joined(separator: ", ")).",
    ]
    return [
      "\(job["id"]?.int ?? 0)", job["client"]?.string ?? "", job["model"]?.string ?? "", job["state"]?.string ?? "",
      "\(job["steps_done"]?.int ?? 0)/\(job["steps"]?.int ?? 0)", "\(job["priority"]?.int ?? 0)",
      "\(job["attempts"]?.int ?? 0)", age(job["accepted"]?.double ?? 0),
      notes.compactMap { $0 }.filter { !$0.isEmpty }.joined(separator: " "),
    ]
  }

  private static func age(_ date: Double) -> String {
    let seconds = max(0, Double(time(nil)) - date)
    return seconds < 120
      ? "\(Int(seconds)) s"
      : seconds < 7200
        ? "\(Int(seconds / 60)) min" : seconds < 172_800 ? "\(Int(seconds / 3600)) h" : "\(Int(seconds / 86400)) d"
  }
}

extension JobState: ExpressibleByArgument {}

/// What is asked about jobs, one after the other; prints the number of each that it was done about.
struct JobCommandOptions: ParsableArguments {
  @OptionGroup(title: "Connection")
  var connection: ConnectionOptions

  @Argument(help: ArgumentHelp("Numbers of jobs, as submit and jobs show them.", valueName: "job"))
  var jobs: [UInt64]

  func ask(_ command: (UInt64) -> JobCommand) async throws {
    let client = try await CoordinatorClient.connect(connection)
    do {
      for job in jobs {
        _ = try await client.ask(.jobs, Payload(JSONValue.object(command(job).json).text()))
        try StandardOutput.write("\(job)")
      }
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }
}

struct PauseJobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "pause", abstract: "Has jobs wait at their next step.",
    discussion: "What they have computed stays as long as the coordinator runs; other jobs take their place.")

  @OptionGroup var options: JobCommandOptions

  func run() async throws { try await options.ask { .pause($0) } }
}

struct ResumeJobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "resume", abstract: "Has paused jobs go on when it is their turn.")

  @OptionGroup var options: JobCommandOptions

  func run() async throws { try await options.ask { .resume($0) } }
}

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

struct RequeueJobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "requeue", abstract: "Has jobs that failed or were cancelled begin anew.")

  @OptionGroup var options: JobCommandOptions

  func run() async throws { try await options.ask { .requeue($0) } }
}

struct ForgetJobs: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "forget", abstract: "Removes jobs that have ended, with their pictures.",
    discussion: "Nothing else removes them. The same request under the same key is a new job then.")

  @OptionGroup var options: JobCommandOptions

  func run() async throws { try await options.ask { .forget($0) } }
}

/// `clusca workers`: what may be done about a coordinator's workers.
struct Workers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lets workers of a coordinator work again that it has set aside.", subcommands: [ReadmitWorkers.self])
}

struct ReadmitWorkers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "readmit", abstract: "Lets workers have blocks again.",
    discussion: "A worker that was lost with three different jobs in ten minutes is set aside until then.")

  @OptionGroup(title: "Connection")
  var connection: ConnectionOptions

  @Argument(help: ArgumentHelp("Names of workers, as status shows them.", valueName: "worker"))
  var workers: [String]

  func run() async throws {
    let client = try await CoordinatorClient.connect(connection)
    do {
      for worker in workers {
        let command = JobCommand.readmit(worker: worker)
        _ = try await client.ask(.jobs, Payload(JSONValue.object(command.json).text()))
        try StandardOutput.write(worker)
      }
    } catch {
      await client.close()
      throw error
    }
    await client.close()
  }
}
