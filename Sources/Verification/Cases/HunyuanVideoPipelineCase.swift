import Autoencoders
import Conditioning
import FeatureCaching
import Rendering
import StrictJSON
import Tensors
import Transformers

/// Runs of diffusers' `HunyuanVideoPipeline`: text encoders, transformer, scheduler and decoder, each fed with what the
/// one before gave here, so that errors add up as they do for a user.
enum HunyuanVideoPipelineCase: CaseRunner {
  static let kinds: Set<String> = ["HunyuanVideoPipeline"]

  static func isInput(_ name: String) -> Bool {
    // CLIP's ids come from its slow tokenizer; Llama's has no other than the fast one, whose ids must be met.
    name == "in.latents" || (name.hasPrefix("text_encoder_2.") && name.hasSuffix(".input_ids"))
  }

  static func run(_ comparison: GoldenComparison) async throws {
    let checkpoint = try HunyuanVideoCheckpoint(folder: comparison.golden.requiredCheckpoint)
    let settings = try Settings(comparison.golden)
    let encoders = try checkpoint.loadTextEncoders(.float32)
    // With the layers that the transformer makes no use of, to compare them all.
    let llama = try checkpoint.loadLlama(.float32, layerCount: nil)
    let transport = LocalTransport([try Stage(checkpoint.loadTransformer(.float32))])
    let patch = checkpoint.transformer.patchSize
    let multiple = patch * checkpoint.autoencoder.scale
    let grid = TokenGrid(
      frames: (settings.frames - 1) / checkpoint.autoencoder.frameScale + 1, rows: settings.height / multiple,
      columns: settings.width / multiple)
    let decoder = try checkpoint.loadDecoder(.float32)
    for row in 0..<(try comparison.batch("in.latents")) {
      let condition = try encode(comparison, row: row, encoders, llama, settings)
      let latents = try await denoise(comparison, row: row, condition, transport, checkpoint, grid, settings)
      if comparison.contains("vae.out") {
        try decode(comparison, row: row, LatentPacking.unpack(video: latents, grid, patch: patch), decoder)
      }
    }
  }

  private static func encode(
    _ comparison: GoldenComparison, row: Int, _ encoders: HunyuanVideoTextEncoders, _ llama: LlamaEncoder,
    _ settings: Settings
  ) throws -> Condition {
    let ids = encoders.llamaIDs(settings.prompt(row), maximumTokens: settings.textTokens)
    comparison.check("text_encoder.0.input_ids", integers: ids.ids.map(Int64.init), row: row)
    comparison.check("text_encoder.0.attention_mask", integers: ids.attentionMask.map(Int64.init), row: row)
    if row == 0 { comparison.check("in.crop_start", integers: [Int64(encoders.droppedTokens)]) }
    let probe = Probe { name, tensor in comparison.check("text_encoder.0.\(name)", tensor, row: row) }
    let last = try llama(ids.ids, validTokens: ids.tokens.count, probe: probe)
    comparison.check("text_encoder.0.last_hidden_state", last, row: row)

    let clipIDs = try comparison.recorded.tensor("text_encoder_2.0.input_ids").rows(row..<row + 1).int64Values()
    let clip = try encoders.clip(clipIDs.map { Int32(clamping: $0) })
    comparison.check("text_encoder_2.0.last_hidden_state", clip.hiddenStates, row: row)
    comparison.check("text_encoder_2.0.pooler_output", clip.pooled, row: row)

    let condition = encoders.condition(
      try encoders.llama(ids.ids, validTokens: ids.tokens.count), validTokens: ids.tokens.count, pooled: clip.pooled)
    if case .text(let text, let pooled, let valid) = condition {
      comparison.check("in.encoder_hidden_states", text, row: row)
      comparison.check("in.pooled_projections", pooled, row: row)
      comparison.check(
        "in.encoder_attention_mask", (0..<text.rows).map { $0 < valid ?? text.rows ? 1 : 0 }, row: row)
    }
    return condition
  }

  private static func denoise(
    _ comparison: GoldenComparison, row: Int, _ condition: Condition, _ transport: LocalTransport,
    _ checkpoint: HunyuanVideoCheckpoint, _ grid: TokenGrid, _ settings: Settings
  ) async throws -> Tensor {
    let patch = checkpoint.transformer.patchSize
    let schedule = checkpoint.scheduler.schedule(
      steps: settings.steps, imageTokens: grid.tokens, spacing: .towardsZero)
    let task = DenoisingTask(
      job: row, latents: LatentPacking.pack(video: try comparison.input("in.latents", row: row), patch: patch),
      schedule: schedule, inputs: SampleInputs(grid: grid, condition: condition, guidance: settings.guidance),
      policy: NoCaching(), choices: { KeyedChoices(seed: 0, row: $0) })
    comparison.check("in.guidance", [Double(settings.guidance * 1000)], row: row)
    comparison.check("sched.sigmas", schedule.sigmas.map(Double.init))
    comparison.check("sched.timesteps", schedule.timesteps.map(Double.init))
    func unpacked(_ tokens: Tensor) -> Tensor { LatentPacking.unpack(video: tokens, grid, patch: patch) }

    let denoiser = Denoiser(task, over: transport) { step, _ in
      Probe { name, tensor in record(comparison, "step\(step).block.\(name)", tensor, row: row, grid.tokens) }
    }
    var final = task.latents
    for try await step in denoiser {
      comparison.check("step\(step.index).timestep", [Double(step.timestep)], row: row)
      comparison.check("step\(step.index).model_out", unpacked(step.output), row: row)
      comparison.check("step\(step.index).guided", unpacked(step.guided), row: row)
      comparison.check("step\(step.index).latents", unpacked(step.latents), row: row)
      final = step.latents
    }
    return final
  }

  private static func record(
    _ comparison: GoldenComparison, _ name: String, _ tensor: Tensor, row: Int, _ videoTokens: Int
  ) {
    if name.contains(".block.rope.") {
      // All rows have one table; diffusers writes each number twice, for both of a pair.
      if row == 0 { comparison.check(name, tensor.eachTwice()) }
    } else if name.contains("single_transformer_blocks"), name.hasSuffix(".attn") {
      comparison.check("\(name).0", tensor.rows(0..<videoTokens), row: row)
      comparison.check("\(name).1", tensor.rows(videoTokens..<tensor.rows), row: row)
    } else {
      comparison.check(name, tensor, row: row)
    }
  }

  private static func decode(
    _ comparison: GoldenComparison, row: Int, _ latents: Tensor, _ decoder: AutoencoderKLHunyuanVideoDecoder
  ) throws {
    let input = decoder.unscaled(latents)
    comparison.check("vae.in", input, row: row)
    let probe = Probe { name, tensor in comparison.check("vae.\(name)", tensor, row: row) }
    let pixels = Pixels.unit(channelsLast: try decoder.decode(input, probe: probe))
    comparison.check("pixels", pixels, row: row)
    comparison.check("pixels_u8", integers: Pixels.bytes(pixels).map(Int64.init), row: row)
  }

  /// The arguments of the pipeline's call.
  private struct Settings {
    let width: Int
    let height: Int
    let frames: Int
    let steps: Int
    let guidance: Float
    let textTokens: Int
    private let prompts: [String]

    init(_ golden: GoldenCase) throws {
      let config = try PartConfiguration(path: "\(golden.name) in manifest.json", json: golden.config)
      width = try config.integer("w", in: 1...1 << 16)
      height = try config.integer("h", in: 1...1 << 16)
      frames = try config.integer("frames", in: 1...1 << 16)
      steps = try config.integer("steps", in: 1...10_000)
      guidance = Float(try config.number("guidance", default: 6))
      textTokens = try config.integer("seqlen", in: 1...1 << 16)
      prompts = try golden.config["prompt"]?.array?.compactMap(\.string) ?? [config.string("prompt")]
    }

    /// Fewer prompts than rows show as a difference.
    func prompt(_ row: Int) -> String { row < prompts.count ? prompts[row] : "" }
  }
}
