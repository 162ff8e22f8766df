import FeatureCaching
import Rendering
import StrictJSON
import Tensors
import Transformers

/// Whole runs of the ClusCa authors' code on FLUX, with its random choices fed in.
enum FluxCachingCase: CaseRunner {
  static let kinds: Set<String> = ["clusca-flux (authors' code)"]

  static func isInput(_ name: String) -> Bool {
    name.hasPrefix("in.") || name.hasSuffix(".init_indices") || name.contains(".fresh.")
  }

  static func run(_ comparison: GoldenComparison) async throws {
    let checkpoint = try FluxCheckpoint(folder: comparison.golden.requiredCheckpoint)
    let settings = try AuthorsSettings(comparison.golden, enhancedSteps: 3, kMeansIterations: 10)
    let transformer = try checkpoint.loadTransformer(.float32)
    let rows = try comparison.batch("in.img")
    let iterations = IterationCounts()
    for row in 0..<rows {
      try await run(comparison, row: row, transformer, checkpoint.scheduler, settings, iterations)
    }
    iterations.check(comparison)
  }

  private static func run(
    _ comparison: GoldenComparison, row: Int, _ transformer: FluxTransformer, _ scheduler: FlowMatchEuler,
    _ settings: AuthorsSettings, _ iterations: IterationCounts
  ) async throws {
    let latents = try comparison.input("in.img", row: row)
    let positions = try comparison.input("in.img_ids", row: row)  // [tokens, 3]: index, row, column
    let rows = Int(positions.columns(1..<2).elements.max() ?? -1) + 1
    let columns = Int(positions.columns(2..<3).elements.max() ?? -1) + 1
    guard rows * columns == latents.rows else {
      return comparison.fail("in.img_ids holds no grid of \(latents.rows) tokens")
    }
    let schedule = scheduler.schedule(steps: settings.steps, imageTokens: latents.rows)
    // The authors' schedule counts timesteps from 1 to 0.
    comparison.check("sched.sigmas", schedule.sigmas.map(Double.init))
    comparison.check("sched.timesteps", schedule.timesteps.map { Double($0) })
    let choices = try RecordedChoices(comparison, row: row, streams: ["img_mlp": .image, "txt_mlp": .text])
    let task = DenoisingTask(
      job: row, latents: latents, schedule: schedule,
      inputs: SampleInputs(
        grid: TokenGrid(rows: rows, columns: columns),
        condition: .text(try comparison.input("in.txt", row: row), pooled: try comparison.input("in.vec", row: row)),
        guidance: settings.guidance),
      policy: settings.policy, choices: { _ in choices })
    let counts = OrderCounts()
    let denoiser = Denoiser(task, over: LocalTransport([try Stage(transformer)])) { step, _ in
      Probe { name, tensor in
        counts.note(name, step: step)
        guard let name = recordedName(name, doubleBlocks: transformer.configuration.doubleBlocks) else { return }
        if name.hasSuffix(".iterations") {
          iterations.note("step\(step).\(name)", tensor[0])
        } else {
          comparison.check("step\(step).\(name)", tensor, row: row)
        }
      }
    }
    for try await step in denoiser {
      comparison.check("step\(step.index).model_out", step.output, row: row)
      comparison.check("step\(step.index).latents", step.latents, row: row)
      for block in 0..<transformer.configuration.doubleBlocks {
        let orders = counts.orders(step: step.index, branch: "cache.\(block).image.attention")
        comparison.check("step\(step.index).cache.double\(block).img_attn.orders", integers: [Int64(orders)])
      }
    }
  }

  /// The name under which the authors' run recorded a tensor; nil if it did not.
  private static func recordedName(_ name: String, doubleBlocks: Int) -> String? {
    let parts = name.split(separator: ".").map(String.init)
    let streams = ["image": "img", "text": "txt"]
    switch (parts.first, parts.count) {
    case ("transformer_blocks", 3) where ["0", "1"].contains(parts[2]):
      return "double.\(parts[1]).\(parts[2] == "1" ? "img" : "txt")"
    case ("single_transformer_blocks", 2): return "single.\(parts[1])"
    case ("cache", 5) where parts[3] == "mlp":
      return streams[parts[2]].map { "cache.double\(parts[1]).\($0)_mlp.\(parts[4])" }
    case ("cache", 4) where parts[1] == "clusters": return streams[parts[2]].map { "kmeans.\($0)_mlp.\(parts[3])" }
    default: return nil
    }
  }
}
