import Rendering
import StrictJSON
import Tensors

/// The noise levels and timesteps of schedulers: FAMILY.nSTEPS.TABLE, for FLUX with the image's tokens between.
enum SchedulerTablesCase: CaseRunner {
  static let kinds: Set<String> = ["scheduler tables"]

  static func run(_ comparison: GoldenComparison) async throws {
    // The configuration was made of DDIM's own, with the same noise; it has the keys of both.
    let settings = comparison.golden.config["dpmpp"].map { JSONValue.object($0.object ?? [:]) } ?? .object([:])
    let configuration = try PartConfiguration(path: "the case \(comparison.golden.name)", json: settings)
    let ddim = try DDIM(configuration)
    let dpm = try DPMSolver(configuration)
    var flows: [String: FlowMatchEuler] = [:]
    comparison.check("ddim.alphas_cumprod", ddim.training.noise.remainingSignal.map(Double.init))

    for name in comparison.recorded.names.sorted() {
      guard let table = Table(name) else {
        if name != "ddim.alphas_cumprod" { comparison.fail("\(name) names no table") }
        continue
      }
      switch table.family {
      case "ddim":
        comparison.check(name, integers: ddim.schedule(steps: table.steps).timesteps.map(Int64.init))
      case "dpmpp":
        let schedule = dpm.schedule(steps: table.steps)
        if table.values == "sigmas" {
          comparison.check(name, schedule.sigmas.map(Double.init))
        } else {
          comparison.check(name, integers: schedule.timesteps.map(Int64.init))
        }
      case "hunyuan":
        // Shift 7, and noise levels that end one step before 0.
        let flow = FlowMatchEuler(shift: .fixed(7))
        check(table, flow, flow.schedule(steps: table.steps, imageTokens: 0, spacing: .towardsZero), comparison)
      default:
        let flow = try flows[table.family] ?? scheduler(of: table.family, below: comparison.golden.root)
        flows[table.family] = flow
        check(table, flow, flow.schedule(steps: table.steps, imageTokens: table.tokens ?? 0), comparison)
      }
    }
  }

  static func isInput(_ name: String) -> Bool { false }

  private static func check(
    _ table: Table, _ scheduler: FlowMatchEuler, _ schedule: FlowMatchEuler.Schedule, _ comparison: GoldenComparison
  ) {
    switch (table.values, scheduler.shift) {
    case ("sigmas", _): comparison.check(table.name, schedule.sigmas.map(Double.init))
    case ("timesteps", _): comparison.check(table.name, schedule.timesteps.map(Double.init))
    case ("mu", .dynamic(let dynamic)): comparison.check(table.name, [dynamic.mu(tokens: table.tokens ?? 0)])
    // Recorded for fixed shifts too, which do not use it; all checkpoints have the standard line.
    default: comparison.check(table.name, [FlowMatchEuler.Dynamic().mu(tokens: table.tokens ?? 0)])
    }
  }

  private static func scheduler(of checkpoint: String, below root: String) throws -> FlowMatchEuler {
    let path = "\(root)/checkpoints/\(checkpoint)/scheduler/scheduler_config.json"
    return try FlowMatchEuler(PartConfiguration(path: path))
  }

  /// What a table's name says.
  private struct Table {
    let name: String
    let family: String
    let steps: Int
    /// L in the name.
    let tokens: Int?
    /// "sigmas", "timesteps" or "mu".
    let values: String

    init?(_ name: String) {
      let fields = name.split(separator: ".").map(String.init)
      guard fields.count == 3 || fields.count == 4, fields[1].hasPrefix("n"), let steps = Int(fields[1].dropFirst()),
        (1...1000).contains(steps), ["sigmas", "timesteps", "mu"].contains(fields[fields.count - 1])
      else { return nil }
      if fields.count == 4 {
        guard fields[2].hasPrefix("L"), let tokens = Int(fields[2].dropFirst()), (1...1 << 24).contains(tokens) else {
          return nil
        }
        self.tokens = tokens
      } else {
        tokens = nil
      }
      self.name = name
      family = fields[0]
      self.steps = steps
      values = fields[fields.count - 1]
    }
  }
}
