import ArgumentParser
import StrictJSON

/// `clusca doctor`: a report to paste into a question or a report on a fault.
struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Reports versions, CPU, memory and models, and warns of what is not as it should be.")

  @Flag(help: "Print one JSON object.")
  var json = false

  func run() throws {
    let machine = MachineReport()
    let models = ModelCacheReport(environment: Environment.variables)
    let packed = PackedWeightsReport(environment: Environment.variables)
    let warnings = machine.warnings + models.warnings
    if json {
      var object = machine.json
      object["hugging_face_cache"] = models.json
      object["packed_weights"] = packed.json
      object["warnings"] = .array(warnings.map(JSONValue.string))
      return try StandardOutput.write(JSONValue.object(object).text(pretty: true))
    }
    let rows = (machine.lines + models.lines + [packed.line]).map { (label: $0.0, value: $0.1) }
    let lines = Table.lines(rows) + warnings.map { "warning: \($0)" }
    try StandardOutput.write(lines.map(\.withControlsShown).joined(separator: "\n"))
  }
}
