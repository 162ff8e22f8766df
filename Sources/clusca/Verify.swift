import ArgumentParser
import StrictJSON
import Verification

/// `clusca verify`: how far this program is from recorded runs of other software.
struct Verify: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Runs recorded cases of other software and compares every tensor.",
    discussion: """
      ROOT/out/manifest.json lists the cases; files and checkpoints are named relative to ROOT. Ends with status \
      \(ExitStatus.differences.rawValue) if a tolerance is exceeded or a case could not be run.
      """)

  @Argument(help: "The folder of the cases.", completion: .directory)
  var root: String

  @Option(
    name: .customLong("case"), parsing: .upToNextOption,
    help: ArgumentHelp("Only these cases; all unless given. A * stands for any characters.", valueName: "name"))
  var cases: [String] = []

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() async throws {
    let verification = try Verification(root: root)
    let names = try selected(verification.names)
    var outcomes: [CaseOutcome] = []
    if !json { try StandardOutput.write(Self.row(["case", "tensors", "worst error", "tolerance", "ratio", "tensor"])) }
    for name in names {
      let outcome = try await verification.run(name)
      outcomes.append(outcome)
      if !json { for line in Self.lines(outcome) { try StandardOutput.write(line) } }
    }
    let failed = outcomes.count { !$0.passed }
    try StandardOutput.write(
      json
        ? JSONValue.object(["cases": .array(outcomes.map(Self.json)), "failed": .integer(failed)]).text(pretty: true)
        : "\(outcomes.count - failed) of \(outcomes.count) cases passed, \(outcomes.reduce(0) { $0 + $1.tensors }) tensors"
    )
    guard failed == 0 else {
      throw CommandFailure(.differences, "\(failed) of \(outcomes.count) cases did not pass.")
    }
  }

  private func selected(_ names: [String]) throws -> [String] {
    guard !cases.isEmpty else { return names }
    let wanted = try cases.flatMap { wanted in
      let matching = names.filter { Self.matches($0, wanted) }
      guard !matching.isEmpty else {
        throw CommandFailure(.usage, "--case \(wanted): \(root)/out/manifest.json has no such case.")
      }
      return matching
    }
    return names.filter(Set(wanted).contains)
  }

  /// Whether a name is `pattern`, in which a `*` stands for any characters.
  static func matches(_ name: String, _ pattern: String) -> Bool {
    let parts = pattern.split(separator: "*", omittingEmptySubsequences: false)
    guard parts.count > 1 else { return name == pattern }
    guard name.hasPrefix(parts[0]) else { return false }
    var rest = name.dropFirst(parts[0].count)
    for part in parts.dropFirst().dropLast() where !part.isEmpty {
      guard let range = rest.firstRange(of: part) else { return false }
      rest = rest[range.upperBound...]
    }
    return parts.last.map { rest.hasSuffix($0) } ?? true
  }

  private static func lines(_ outcome: CaseOutcome) -> [String] {
    let worst = outcome.worst.map {
      [$0.error.scientific, $0.tolerance.scientific, DecimalText.fixed($0.ratio, digits: 3), $0.tensor]
    }
    let status = outcome.passed ? "" : "  FAILED"
    let first = row([outcome.name, "\(outcome.tensors)"] + (worst ?? ["-", "-", "-", "-"])) + status
    let shown = outcome.failures.prefix(5).map { "    \($0.withControlsShown)" }
    let rest = outcome.failures.count - shown.count
    return [first] + shown + (rest > 0 ? ["    and \(rest) more"] : [])
  }

  private static func row(_ cells: [String]) -> String {
    let widths = [36, 8, 12, 10, 7]
    return cells.enumerated().map { index, cell in
      guard index < widths.count else { return cell }
      let padding = String(repeating: " ", count: max(0, widths[index] - cell.count))
      return index == 0 ? cell + padding : padding + cell
    }.joined(separator: "  ")
  }

  private static func json(_ outcome: CaseOutcome) -> JSONValue {
    var json: JSONObject = [
      "name": .string(outcome.name), "passed": .bool(outcome.passed), "tensors": .integer(outcome.tensors),
      "failures": .array(outcome.failures.map { .string($0) }),
    ]
    if let worst = outcome.worst {
      json["worst"] = [
        "tensor": .string(worst.tensor), "error": .number(worst.error), "tolerance": .number(worst.tolerance),
        "ratio": .number(worst.ratio),
      ]
    }
    return .object(json)
  }
}
