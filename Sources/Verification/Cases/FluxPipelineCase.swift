import Autoencoders
import FeatureCaching
import Rendering
import StrictJSON
import Tensors
import Transformers

/// Runs of diffusers' `FluxPipeline`: text encoders, transformer, scheduler and decoder, each fed with what the one before
/// gave here, so that errors add up as they do for a user.
enum FluxPipelineCase: CaseRunner {
  static let kinds: Set<String> = ["FluxPipeline"]

  static func isInput(_ name: String) -> Bool {
    // The ids come from the slow tokenizers; the case of the tokenizers compares those that are ours.
    name == "in.latents" || name == "in.latents_unpacked" || name.hasSuffix(".input_ids")
  }

  static func run(_ comparison: GoldenComparison) async throws {
    let checkpoint = try FluxCheckpoint(folder: comparison.golden.requiredCheckpoint)
    let settings = try Settings(comparison.golden)
    let prompts = try encode(comparison, checkpoint.loadTextEncoders(.float32), settings)
    let transport = LocalTransport([try Stage(checkpoint.loadTransformer(.float32))])
    let multiple = 2 * checkpoint.autoencoder.scale
    let grid = TokenGrid(rows: settings.height / multiple, columns: settings.width / multiple)
    let decoder = comparison.contains("vae.out") ? try checkpoint.loadDecoder(.float32) : nil
    for row in 0..<(try comparison.batch("in.latents")) {
      let latents = try await denoise(
        comparison, row: row, prompts, transport, checkpoint, grid, settings)
      if let decoder { try decode(comparison, row: row, latents, grid, decoder) }
    }
  }

  /// The prompts of one row and pass: what the transformer takes.
  private struct Prompt {
    var text: Tensor
    var pooled: Tensor
  }

  private typealias Key = [Int]

  /// Runs the text encoders as often as they were called, on the recorded ids: first for the prompts, then for the
  /// negative ones. The key is call and row.
  private static func encode(
    _ comparison: GoldenComparison, _ encoders: FluxTextEncoders, _ settings: Settings
  ) throws -> [Key: Prompt] {
    var prompts: [Key: Prompt] = [:]
    for call in 0..<settings.passes {
      for row in 0..<(try comparison.batch("text_encoder.\(call).input_ids")) {
        func ids(_ encoder: String) throws -> [Int32] {
          let ids = try comparison.recorded.tensor("\(encoder).\(call).input_ids").rows(row..<row + 1).int64Values()
          return ids.map { Int32(clamping: $0) }
        }
        func probe(_ encoder: String) -> Probe {
          Probe { name, tensor in comparison.check("\(encoder).\(call).\(name)", tensor, row: row) }
        }
        let clip = try encoders.clip(ids("text_encoder"), probe: probe("text_encoder"))
        let t5 = try encoders.t5(ids("text_encoder_2"), probe: probe("text_encoder_2"))
        comparison.check("text_encoder.\(call).last_hidden_state", clip.hiddenStates, row: row)
        comparison.check("text_encoder.\(call).pooler_output", clip.pooled, row: row)
        comparison.check("text_encoder_2.\(call).last_hidden_state", t5, row: row)
        prompts[[call, row]] = Prompt(text: t5, pooled: clip.pooled)
      }
    }
    return prompts
  }

  private static func denoise(
    _ comparison: GoldenComparison, row: Int, _ prompts: [Key: Prompt], _ transport: LocalTransport,
    _ checkpoint: FluxCheckpoint, _ grid: TokenGrid, _ settings: Settings
  ) async throws -> Tensor {
    let latents = try comparison.input("in.latents", row: row)
    if comparison.contains("in.latents_unpacked") {
      let packed = LatentPacking.pack(try comparison.input("in.latents_unpacked", row: row))
      if packed != latents { comparison.fail("in.latents_unpacked is not packed to in.latents") }
    }
    func inputs(_ call: Int) throws -> SampleInputs {
      guard let prompt = prompts[[call, row]] else { throw MissingPrompt(call: call, row: row) }
      return SampleInputs(
        grid: grid, condition: .text(prompt.text, pooled: prompt.pooled), guidance: settings.guidance)
    }
    let schedule = checkpoint.scheduler.schedule(steps: settings.steps, imageTokens: grid.tokens)
    let task = DenoisingTask(
      job: row, latents: latents, schedule: schedule, inputs: try inputs(0),
      guidance: settings.passes == 2 ? Guidance(inputs: try inputs(1), scale: settings.trueCFG) : nil,
      policy: NoCaching(),
      choices: { KeyedChoices(seed: 0, row: $0) })
    checkInputs(comparison, row: row, task, grid, passes: settings.passes)
    comparison.check("sched.sigmas", schedule.sigmas.map(Double.init))
    comparison.check("sched.timesteps", schedule.timesteps.map(Double.init))

    // The recorder kept the last call of the transformer in a step: under guidance, that for the negative prompt.
    let lastPass = UInt16(settings.passes - 1)
    let denoiser = Denoiser(task, over: transport) { step, pass in
      guard pass == lastPass else { return nil }
      return Probe { name, tensor in
        if name == "proj_out" { comparison.check("step\(step).model_out", tensor, row: row) }
        let isRotation = name.hasPrefix("pos_embed.")
        // All rows have one table; diffusers writes each number twice, for both of a pair.
        guard !isRotation || row == 0 else { return }
        comparison.check("step\(step).block.\(name)", isRotation ? tensor.eachTwice() : tensor, row: row)
      }
    }
    var final = latents
    for try await step in denoiser {
      comparison.check("step\(step.index).timestep", [Double(step.timestep / 1000)], row: row)
      comparison.check("step\(step.index).guided", step.guided, row: row)
      comparison.check("step\(step.index).latents", step.latents, row: row)
      final = step.latents
    }
    return final
  }

  /// What the pipeline gave to the transformer, in the last pass of its first step.
  private static func checkInputs(
    _ comparison: GoldenComparison, row: Int, _ task: DenoisingTask, _ grid: TokenGrid, passes: Int
  ) {
    let inputs = task.guidance?.inputs ?? task.inputs
    guard case .text(let text, let pooled, _) = inputs.condition else { return }
    comparison.check("in.encoder_hidden_states", text, row: row)
    comparison.check("in.pooled_projections", pooled, row: row)
    if let guidance = inputs.guidance { comparison.check("in.guidance", [Double(guidance)], row: row) }
    guard row == 0 else { return }
    let places: [Double] = (0..<grid.tokens).flatMap { token -> [Double] in
      [0, Double(token / grid.columns), Double(token % grid.columns)]
    }
    comparison.check("in.img_ids", places)
    comparison.check("in.txt_ids", [Double](repeating: 0, count: 3 * text.rows))
  }

  private static func decode(
    _ comparison: GoldenComparison, row: Int, _ latents: Tensor, _ grid: TokenGrid, _ decoder: AutoencoderKLDecoder
  ) throws {
    let unpacked = LatentPacking.unpack(latents, rows: grid.rows, columns: grid.columns)
    let input = decoder.unscaled(unpacked.reshaped([1] + unpacked.shape))
    comparison.check("vae.in", input, row: row)
    let probe = Probe { name, tensor in comparison.check("vae.\(name)", tensor, row: row) }
    let pixels = Pixels.unit(try decoder.decode(input, probe: probe))
    comparison.check("pixels", pixels, row: row)
    comparison.check("pixels_u8", integers: Pixels.bytes(pixels).map(Int64.init), row: row)
  }

  /// The arguments of the pipeline's call.
  private struct Settings {
    let width: Int
    let height: Int
    let steps: Int
    let guidance: Float
    let trueCFG: Float
    /// 2 under classifier-free guidance.
    let passes: Int

    init(_ golden: GoldenCase) throws {
      let config = try PartConfiguration(path: "\(golden.name) in manifest.json", json: golden.config)
      width = try config.integer("w", in: 1...1 << 16)
      height = try config.integer("h", in: 1...1 << 16)
      steps = try config.integer("steps", in: 1...10_000)
      guidance = Float(try config.number("guidance", default: 3.5))
      trueCFG = Float(try config.number("true_cfg", default: 1))
      passes = trueCFG > 1 && config.contains("neg") ? 2 : 1
    }
  }
}

private struct MissingPrompt: Error, CustomStringConvertible {
  var call: Int
  var row: Int
  var description: String { "The text encoders' call \(call) has no row \(row)." }
}
