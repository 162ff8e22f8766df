import ArgumentParser
import Glibc
import Journaling
import RenderCluster
import StrictJSON

/// `clusca journal`: what a coordinator remembers, without the coordinator.
struct JournalCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "journal", abstract: "Looks at the folder in which a coordinator remembers its jobs.",
    subcommands: [VerifyJournal.self])
}

/// `clusca journal verify`.
struct VerifyJournal: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify", abstract: "Says whether a coordinator's journal is whole.",
    discussion: """
      Reads every record and changes nothing. A journal that is damaged ends it with status \
      \(ExitStatus.input.rawValue), and file and byte are named. An end that is not whole is no damage: it is what a crash \
      leaves behind, or a coordinator that is writing, and the next one sets it aside.
      """)

  @Option(
    help: ArgumentHelp(
      "The folder of the coordinator. $XDG_STATE_HOME/clusca/coordinator or ~/.local/state/clusca/coordinator unless "
        + "given.", valueName: "folder"), completion: .directory)
  var state: String?

  @Flag(help: "Print a JSON object.")
  var json = false

  func run() throws {
    let folder = try StateFolder(state, environment: Environment.variables)
    let report = try JournalReport(folder: folder.path)
    try StandardOutput.write(json ? JSONValue.object(Self.json(report)).text() : Self.text(report))
  }

  private static func json(_ report: JournalReport) -> JSONObject {
    var jobs = JSONObject()
    for state in JobState.allCases where report.jobs[state] != nil {
      jobs[state.rawValue] = .integer(report.jobs[state] ?? 0)
    }
    return [
      "file": .string(report.path), "snapshot_records": .integer(report.snapshotRecords),
      "records": .integer(report.records), "jobs": .object(jobs),
      "torn_at": report.torn.map { .integer($0.lowerBound) } ?? .null,
    ]
  }

  private static func text(_ report: JournalReport) -> String {
    let jobs = JobState.allCases.compactMap { state in report.jobs[state].map { "\($0) \(state.rawValue)" } }
    let lines = [
      "\(ErrorReport.oneLine(report.path)) is whole.",
      "\(report.snapshotRecords) records in its snapshot, \(report.records) behind it.",
      jobs.isEmpty ? "No jobs." : "Jobs: \(jobs.joined(separator: ", ")).",
    ]
    let torn = report.torn.map {
      "At byte \($0.lowerBound) begins a record that is not whole, as after a crash; it was never acknowledged."
    }
    return (lines + [torn].compactMap { $0 }).joined(separator: "\n")
  }
}
