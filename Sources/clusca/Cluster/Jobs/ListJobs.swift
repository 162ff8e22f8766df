import ArgumentParser
import Glibc
import Messaging
import RenderCluster
import StrictJSON

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
