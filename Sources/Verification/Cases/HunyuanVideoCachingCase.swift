import FeatureCaching
import Rendering
import Tensors
import Transformers

/// Whole runs of the ClusCa authors' code on HunyuanVideo, with its random choices fed in.
enum HunyuanVideoCachingCase: CaseRunner {
  private static let kind = "clusca-hunyuan_video (authors' code)"
  private static let defectiveKind = "\(kind), as shipped (img tokens written into the txt cache)"
  static let kinds: Set<String> = [kind, defectiveKind, "\(kind), txt-cache bug fixed"]

  static func isInput(_ name: String) -> Bool {
    name.hasPrefix("in.") || name.hasSuffix(".init_indices") || name.contains(".fresh.")
  }

  static func run(_ comparison: GoldenComparison) async throws {
    let checkpoint = try HunyuanVideoCheckpoint(folder: comparison.golden.requiredCheckpoint)
    let settings = try AuthorsSettings(
      comparison.golden, enhancedSteps: 1, kMeansIterations: 10, propagatingStreams: [.image, .text],
      quirks: comparison.golden.kind == defectiveKind ? [.authorsCode, .textTakesImageOutputs] : .authorsCode)
    let transformer = try checkpoint.loadTransformer(.float32)
    let iterations = IterationCounts()
    for row in 0..<(try comparison.batch("in.latents")) {
      try await run(comparison, row: row, transformer, checkpoint.scheduler, settings, iterations)
    }
    iterations.check(comparison)
  }

  private static func run(
    _ comparison: GoldenComparison, row: Int, _ transformer: HunyuanVideoTransformer, _ scheduler: FlowMatchEuler,
    _ settings: AuthorsSettings, _ iterations: IterationCounts
  ) async throws {
    let latents = try comparison.input("in.latents", row: row)  // [channels, frames, height, width]
    let (patch, double) = (transformer.configuration.patchSize, transformer.configuration.doubleBlocks)
    let grid = TokenGrid(
      frames: latents.shape[1], rows: latents.shape[2] / patch, columns: latents.shape[3] / patch)
    let schedule = scheduler.schedule(steps: settings.steps, imageTokens: grid.tokens, spacing: .towardsZero)
    comparison.check("sched.sigmas", schedule.sigmas.map(Double.init))
    comparison.check("sched.timesteps", schedule.timesteps.map(Double.init))
    let mask = try comparison.recorded.tensor("in.encoder_attention_mask").rows(row..<row + 1).int64Values()
    let choices = try RecordedChoices(comparison, row: row, streams: ["img_mlp": .image, "txt_mlp": .text])
    let task = DenoisingTask(
      job: row, latents: LatentPacking.pack(video: latents, patch: patch), schedule: schedule,
      inputs: SampleInputs(
        grid: grid,
        condition: .text(
          try comparison.input("in.encoder_hidden_states", row: row),
          pooled: try comparison.input("in.pooled_projections", row: row),
          validTokens: Int(mask.reduce(0, +))), guidance: settings.guidance),
      policy: settings.policy, choices: { _ in choices })
    let counts = OrderCounts()
    let denoiser = Denoiser(task, over: LocalTransport([try Stage(transformer)])) { step, _ in
      Probe { name, tensor in
        counts.note(name, step: step)
        guard let name = recordedName(name) else { return }
        if name.hasSuffix(".iterations") {
          iterations.note("step\(step).\(name)", tensor[0])
        } else {
          comparison.check("step\(step).\(name)", tensor, row: row)
        }
      }
    }
    func unpacked(_ tokens: Tensor) -> Tensor { LatentPacking.unpack(video: tokens, grid, patch: patch) }
    for try await step in denoiser {
      comparison.check("step\(step.index).model_out", unpacked(step.output), row: row)
      comparison.check("step\(step.index).latents", unpacked(step.latents), row: row)
      for block in 0..<double {
        let orders = counts.orders(step: step.index, branch: "cache.\(block).image.attention")
        comparison.check("step\(step.index).cache.double\(block).img_attn.orders", integers: [Int64(orders)])
      }
    }
  }

  /// The name under which the authors' run recorded a tensor; nil if it did not.
  private static func recordedName(_ name: String) -> String? {
    let parts = name.split(separator: ".").map(String.init)
    let streams = ["image": "img", "text": "txt"]
    switch (parts.first, parts.count) {
    case ("transformer_blocks", 3) where ["0", "1"].contains(parts[2]):
      return "double.\(parts[1]).\(parts[2] == "0" ? "img" : "txt")"
    case ("single_transformer_blocks", 2): return "single.\(parts[1])"
    case ("cache", 5) where parts[3] == "mlp":
      return streams[parts[2]].map { "cache.double\(parts[1]).\($0)_mlp.\(parts[4])" }
    case ("cache", 4) where parts[1] == "clusters": return streams[parts[2]].map { "kmeans.\($0)_mlp.\(parts[3])" }
    default: return nil
    }
  }
}
