import Autoencoders
import FeatureCaching
import Rendering
import StrictJSON
import Tensors
import Transformers

/// Runs of diffusers' `DiTPipeline`: transformer, scheduler and decoder, each fed with what the one before gave here. A
/// batch holds the rows of the classes, and under guidance behind them those of no class.
enum DiTPipelineCase: CaseRunner {
  static let kinds: Set<String> = ["DiTPipeline"]

  static func isInput(_ name: String) -> Bool { name == "in.latents" }

  static func run(_ comparison: GoldenComparison) async throws {
    var checkpoint = try DiTCheckpoint(folder: comparison.golden.requiredCheckpoint)
    let settings = try Settings(comparison.golden)
    if let choice = settings.scheduler { try checkpoint.use(choice) }
    let transport = LocalTransport([try Stage(checkpoint.loadTransformer(.float32))])
    let decoder = try checkpoint.loadDecoder(.float32)
    let classes = checkpoint.transformer.classes
    let unconditional = settings.isGuided ? settings.labels.map { _ in classes } : []
    comparison.check("in.class_labels", integers: (settings.labels + unconditional).map(Int64.init))
    comparison.check("in.guidance_scale", [Double(settings.guidance)])
    for row in settings.labels.indices {
      let latents = try await denoise(comparison, row: row, transport, checkpoint, settings)
      try decode(comparison, row: row, checkpoint.transformer.unpacked(latents), decoder)
    }
  }

  private static func denoise(
    _ comparison: GoldenComparison, row: Int, _ transport: LocalTransport, _ checkpoint: DiTCheckpoint,
    _ settings: Settings
  ) async throws -> Tensor {
    let configuration = checkpoint.transformer
    let schedule = checkpoint.scheduler.schedule(steps: settings.steps)
    comparison.check("sched.timesteps", integers: (0..<schedule.steps).map { Int64(schedule.timestep($0)) })
    func inputs(_ label: Int?) -> SampleInputs { SampleInputs(grid: configuration.grid, condition: .label(label)) }
    let task = DenoisingTask(
      job: row,
      latents: LatentPacking.pack(try comparison.input("in.latents", row: row), patch: configuration.patchSize),
      schedule: schedule, inputs: inputs(settings.labels[row]),
      guidance: settings.isGuided ? Guidance(inputs: inputs(nil), scale: settings.guidance) : nil,
      policy: NoCaching(), choices: { KeyedChoices(seed: 0, row: $0) })
    let batch = settings.labels.count
    let passes = settings.isGuided ? [0, 1] : [0]
    let denoiser = Denoiser(task, over: transport) { step, pass in
      let row = Int(pass) * batch + row
      return Probe { name, tensor in
        if name == "proj_out_2" {
          comparison.check("step\(step).model_out", configuration.unpatchified(tensor), row: row)
        }
        comparison.check("step\(step).block.\(name)", tensor, row: row)
      }
    }
    var final = task.latents
    for try await step in denoiser {
      // diffusers carries both halves of the batch on, which are equal.
      for row in passes.map({ $0 * batch + row }) {
        comparison.check("step\(step.index).timestep", integers: [Int64(step.timestep)], row: row)
        comparison.check("step\(step.index).guided", configuration.unpacked(step.guided), row: row)
        comparison.check("step\(step.index).latents", configuration.unpacked(step.latents), row: row)
      }
      final = step.latents
    }
    return final
  }

  private static func decode(
    _ comparison: GoldenComparison, row: Int, _ latents: Tensor, _ decoder: AutoencoderKLDecoder
  ) throws {
    let input = decoder.unscaled(latents.reshaped([1] + latents.shape))
    comparison.check("vae.in", input, row: row)
    let probe = Probe { name, tensor in comparison.check("vae.\(name)", tensor, row: row) }
    let pixels = Pixels.unit(try decoder.decode(input, probe: probe))
    comparison.check("pixels", pixels, row: row)
    comparison.check("pixels_u8", integers: Pixels.bytes(pixels).map(Int64.init), row: row)
  }

  /// The arguments of the pipeline's call.
  private struct Settings {
    let labels: [Int]
    let steps: Int
    let guidance: Float
    /// Nil for the checkpoint's own.
    let scheduler: SchedulerChoice?

    var isGuided: Bool { guidance > 1 }

    init(_ golden: GoldenCase) throws {
      let config = try PartConfiguration(path: "\(golden.name) in manifest.json", json: golden.config)
      labels = try config.integers("labels", in: 0...1 << 20)
      steps = try config.integer("steps", in: 1...1000)
      guidance = Float(try config.number("guidance"))
      let name = try config.string("scheduler", default: "")
      scheduler = name.hasPrefix("DPMSolverMultistep") ? .dpmpp : nil
    }
  }
}
