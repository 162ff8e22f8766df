import FeatureCaching
import Rendering
import Tensors
import Transformers

/// Whole runs of the ClusCa authors' code on DiT, with its random choices fed in, recorded with guidance of all channels
/// as diffusers has it. A batch holds the conditional rows, then the unconditional ones.
enum DiTCachingCase: CaseRunner {
  static let kinds: Set<String> = ["clusca-dit (authors' code)"]

  static func isInput(_ name: String) -> Bool {
    name.hasPrefix("in.") || name.hasSuffix(".init_indices") || name.contains(".fresh.")
  }

  static func run(_ comparison: GoldenComparison) async throws {
    let checkpoint = try DiTCheckpoint(folder: comparison.golden.requiredCheckpoint)
    let settings = try AuthorsSettings(comparison.golden, enhancedSteps: 2, kMeansIterations: 100)
    let transport = LocalTransport([try Stage(checkpoint.loadTransformer(.float32))])
    let labels = try comparison.integers("in.class_labels").map { Int($0) }
    let iterations = IterationCounts()
    for (image, label) in labels.enumerated() {
      let choices = try [0, 1].map { pass in
        try RecordedChoices(comparison, row: pass * labels.count + image, streams: ["": .image, "mlp": .image])
      }
      let schedule = checkpoint.scheduler.schedule(steps: settings.steps)
      comparison.check("sched.timesteps", integers: (0..<schedule.steps).map { Int64(schedule.timestep($0)) })
      let (grid, patch) = (checkpoint.transformer.grid, checkpoint.transformer.patchSize)
      func inputs(_ label: Int?) -> SampleInputs { SampleInputs(grid: grid, condition: .label(label)) }
      let task = DenoisingTask(
        job: image, latents: LatentPacking.pack(try comparison.input("in.latents", row: image), patch: patch),
        schedule: schedule, inputs: inputs(label),
        guidance: Guidance(inputs: inputs(nil), scale: settings.guidance),
        policy: settings.policy, choices: { choices[Int($0)] })
      let counts = OrderCounts()
      let denoiser = Denoiser(task, over: transport) { step, pass in
        Probe { name, tensor in
          if pass == 0 { counts.note(name, step: step) }
          record(
            name, tensor, step: step, row: Int(pass) * labels.count + image, checkpoint.transformer, iterations,
            comparison)
        }
      }
      for try await step in denoiser {
        comparison.check(
          "step\(step.index).latents", checkpoint.transformer.unpacked(step.latents), row: image)
        for block in 0..<checkpoint.transformer.blockCount {
          for (part, name) in [("attention", "attn"), ("mlp", "mlp")] {
            let orders = counts.orders(step: step.index, branch: "cache.\(block).image.\(part)")
            comparison.check("step\(step.index).cache.layer\(block).\(name).orders", integers: [Int64(orders)])
          }
        }
      }
    }
    iterations.check(comparison)
  }

  private static func record(
    _ name: String, _ tensor: Tensor, step: Int, row: Int, _ configuration: DiTConfiguration,
    _ iterations: IterationCounts, _ comparison: GoldenComparison
  ) {
    let parts = name.split(separator: ".").map(String.init)
    switch (parts.first, parts.count) {
    case ("proj_out_2", 1):
      comparison.check("step\(step).model_out", configuration.unpatchified(tensor), row: row)
    case ("transformer_blocks", 2): comparison.check("step\(step).block.\(parts[1])", tensor, row: row)
    case ("cache", 5) where parts[3] == "mlp":
      comparison.check("step\(step).cache.layer\(parts[1]).mlp.\(parts[4])", tensor, row: row)
    case ("cache", 4) where parts[1] == "clusters":
      let recorded = "step\(step).kmeans.\(parts[3])"
      if parts[3] == "iterations" {
        iterations.note(recorded, tensor[0])
      } else {
        comparison.check(recorded, tensor, row: row)
      }
    default: break
    }
  }
}

extension DiTConfiguration {
  /// Latents of tokens as diffusers has them, `[channels, sample size, sample size]`.
  func unpacked(_ latents: Tensor) -> Tensor {
    LatentPacking.unpack(latents, rows: grid.rows, columns: grid.columns, patch: patchSize)
  }

  /// The transformer's whole output as diffusers has it: `[tokens, patch² · output channels]`, channels innermost, →
  /// `[output channels, sample size, sample size]`
  func unpatchified(_ output: Tensor) -> Tensor {
    let (area, channels) = (patchSize * patchSize, outputChannels)
    var ordered = Tensor(uninitialized: output.shape)
    for token in 0..<output.rows {
      for place in 0..<area {
        for channel in 0..<channels {
          ordered[(token * channels + channel) * area + place] = output[(token * area + place) * channels + channel]
        }
      }
    }
    return unpacked(ordered)
  }
}
