import Files
import StrictJSON
import Synchronization
import Tensors
import Testing
import Transformers

/// What a HunyuanVideo transformer reads of its checkpoint, and what it says about one that does not fit.
@Suite struct HunyuanVideoLoadingTests {
  /// The parameters of the fixture, with one left out, and a list of those that were asked for.
  private final class Source: ParameterSource {
    let path = "the source"
    private let all: any ParameterSource
    private let missing: String?
    private let asked = Mutex<Set<String>>([])

    init(_ all: any ParameterSource, missing: String? = nil) { (self.all, self.missing) = (all, missing) }

    var names: Set<String> { asked.withLock { $0 } }

    func parameter(_ name: String) throws -> StoredTensor? {
      asked.withLock { _ = $0.insert(name) }
      return name == missing ? nil : try all.parameter(name)
    }
  }

  private func modules(_ blocks: BlockRange, of model: TinyHunyuanVideo) throws -> Set<String> {
    let source = Source(model.parameters.source)
    _ = try HunyuanVideoTransformer(model.configuration, Parameters(source, precision: .float32), blocks: blocks)
    return Set(
      source.names.map { name in
        let parts = name.split(separator: ".")
        return parts.prefix(parts[0].hasSuffix("transformer_blocks") ? 2 : 1).joined(separator: ".")
      })
  }

  @Test func aStageReadsTheTensorsOfItsBlocksOnly() throws {
    let model = try TinyHunyuanVideo()
    // Where no hidden states pass between stages, each makes its own of the latents.
    let middle = ["time_text_embed", "x_embedder", "transformer_blocks.1", "single_transformer_blocks.0"]
    #expect(try modules(1..<3, of: model) == Set(middle))
    #expect(
      try modules(0..<1, of: model) == ["time_text_embed", "x_embedder", "context_embedder", "transformer_blocks.0"])
    #expect(
      try modules(4..<5, of: model)
        == ["time_text_embed", "x_embedder", "single_transformer_blocks.2", "norm_out", "proj_out"])
  }

  @Test(arguments: [
    "x_embedder.proj.weight", "x_embedder.proj.bias", "context_embedder.proj_in.bias",
    "context_embedder.token_refiner.refiner_blocks.1.norm2.weight",
    "context_embedder.token_refiner.refiner_blocks.0.norm_out.linear.bias",
    "context_embedder.time_text_embed.text_embedder.linear_1.weight",
    "time_text_embed.guidance_embedder.linear_2.weight", "transformer_blocks.1.attn.norm_added_q.weight",
    "transformer_blocks.0.ff_context.net.2.bias", "single_transformer_blocks.2.proj_mlp.weight",
    "norm_out.linear.weight", "proj_out.bias",
  ])
  func aTensorThatIsMissingIsNamed(name: String) throws {
    let model = try TinyHunyuanVideo()
    let source = Source(model.parameters.source, missing: name)
    let error = #expect(throws: ParameterError.self) {
      try HunyuanVideoTransformer(model.configuration, Parameters(source, precision: .float32))
    }
    #expect(error?.name == name)
  }

  @Test func weightsOfAnotherShapeAreRefused() throws {
    let model = try TinyHunyuanVideo()
    for (change, name) in [
      ({ $0.patchSize = 4 }, "x_embedder.proj.weight"), ({ $0.textWidth = 60 }, "context_embedder"),
      ({ $0.mlpWidth = 100 }, "refiner_blocks.0.ff.net.0.proj.weight"), ({ $0.outputChannels = 8 }, "proj_out.weight"),
    ] as [((inout HunyuanVideoConfiguration) -> Void, String)] {
      var configuration = model.configuration
      change(&configuration)
      let error = #expect(throws: ParameterError.self) {
        try HunyuanVideoTransformer(configuration, model.parameters)
      }
      #expect(error?.name.contains(name) == true, "\(String(describing: error))")
    }
  }

  @Test(
    arguments: [
      ("_class_name", "FluxTransformer2DModel"), ("patch_size_t", 2), ("qk_norm", "layer_norm"),
      ("image_condition_type", "token_replace"), ("num_layers", -1), ("attention_head_dim", 127),
      ("num_attention_heads", 1024), ("rope_axes_dim", [16, 56, 55]), ("rope_theta", 0), ("mlp_ratio", 0),
      ("mlp_ratio", 1e300), ("guidance_embeds", "yes"), ("patch_size", 0), ("in_channels", 1_048_576),
    ] as [(String, JSONValue)])
  func anArchitectureThatIsNotBuiltIsRefusedByItsKey(key: String, value: JSONValue) throws {
    let error = #expect(throws: FileError.self) {
      try HunyuanVideoConfiguration(PartConfiguration(path: "config.json", json: .object([key: value])))
    }
    let named = key == "attention_head_dim" ? "rope_axes_dim" : key
    #expect(error?.description.contains("\"\(named)\"") == true, "\(String(describing: error))")
  }

  @Test func noBlocksAtAllAreRefused() {
    #expect(throws: FileError.self) {
      try HunyuanVideoConfiguration(
        PartConfiguration(path: "config.json", json: .object(["num_layers": 0, "num_single_layers": 0])))
    }
  }

  @Test func inputsThatDoNotFitAreRefused() throws {
    let model = try TinyHunyuanVideo()
    let transformer = try HunyuanVideoTransformer(model.configuration, model.parameters)
    _ = try transformer.makeSample(model.inputs(1, validTokens: 1))
    _ = try transformer.makeSample(model.inputs(1, validTokens: nil))
    let (text, pooled) = (Tensor(zeros: [3, 56]), Tensor(zeros: [1, 36]))
    let conditions: [Condition] = [
      .label(1), .text(pooled, pooled: pooled), .text(text, pooled: text), .text(text, pooled: pooled, validTokens: 0),
      .text(text, pooled: pooled, validTokens: 4), .text(Tensor(zeros: [0, 56]), pooled: pooled),
    ]
    for condition in conditions {
      #expect(throws: SampleError.self) {
        try transformer.makeSample(SampleInputs(grid: TinyHunyuanVideo.grid, condition: condition))
      }
    }
  }
}
