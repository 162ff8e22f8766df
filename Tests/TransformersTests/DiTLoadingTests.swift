import Files
import StrictJSON
import Synchronization
import Tensors
import Testing
import Transformers

/// What a DiT reads of its checkpoint, and what it says about one that does not fit.
@Suite struct DiTLoadingTests {
  /// The parameters of the fixture, with some left out or cut, and a list of those that were asked for.
  private final class Source: ParameterSource {
    let path = "the source"
    private let all: any ParameterSource
    private let missing: String?
    private let flat: String?
    private let asked = Mutex<Set<String>>([])

    init(_ all: any ParameterSource, missing: String? = nil, flat: String? = nil) {
      (self.all, self.missing, self.flat) = (all, missing, flat)
    }

    var names: Set<String> { asked.withLock { $0 } }

    func parameter(_ name: String) throws -> StoredTensor? {
      asked.withLock { _ = $0.insert(name) }
      guard name != missing, let tensor = try all.parameter(name) else { return nil }
      return name == flat ? try tensor.reshaped([tensor.elementCount]) : tensor
    }
  }

  private func names(_ blocks: BlockRange, of model: TinyDiT) throws -> Set<String> {
    let source = Source(model.parameters.source)
    _ = try DiTTransformer(model.configuration, Parameters(source, precision: .float32), blocks: blocks)
    return Set(source.names.map { $0.split(separator: ".").prefix(2).joined(separator: ".") })
  }

  @Test func aStageReadsTheTensorsOfItsBlocksOnly() throws {
    let model = try TinyDiT()
    // Where no hidden states pass between stages, each makes its own of the latents.
    let middle = Set(["pos_embed.proj", "transformer_blocks.1", "transformer_blocks.2"])
    #expect(try names(1..<3, of: model) == middle)
    #expect(try names(0..<1, of: model) == ["pos_embed.proj", "transformer_blocks.0"])
    // The output is modulated by the first block's embedder.
    let last = [
      "pos_embed.proj", "transformer_blocks.0", "transformer_blocks.3", "proj_out_1.weight", "proj_out_1.bias",
    ]
    #expect(try names(3..<4, of: model) == Set(last + ["proj_out_2.weight", "proj_out_2.bias"]))
    let source = Source(model.parameters.source)
    _ = try DiTTransformer(model.configuration, Parameters(source, precision: .float32), blocks: 3..<4)
    #expect(source.names.filter { $0.hasPrefix("transformer_blocks.0.") }.allSatisfy { $0.contains(".norm1.emb.") })
  }

  @Test func embeddersOfEqualNumbersAreHeldOnce() throws {
    let (shared, own) = (try TinyDiT("dit-tiny"), try TinyDiT("dit-tiny-untied"))
    let width = shared.configuration.width
    let embedder = (256 * width + width * width + 2 * width + 1001 * width) * 4
    let bytes = try [shared, own].map { try DiTTransformer($0.configuration, $0.parameters).weightBytes }
    #expect(bytes[1] - bytes[0] == 3 * embedder)
    let stages = try [0..<2, 2..<4].map {
      try DiTTransformer(own.configuration, own.parameters, blocks: $0).weightBytes
    }
    let patches = (16 * width + width) * 4
    #expect(stages[0] + stages[1] == bytes[1] + embedder + patches)
  }

  @Test(arguments: [
    "pos_embed.proj.weight", "pos_embed.proj.bias", "proj_out_1.weight", "proj_out_2.bias",
    "transformer_blocks.2.attn1.to_k.bias", "transformer_blocks.0.attn1.to_out.0.weight",
    "transformer_blocks.3.ff.net.0.proj.weight", "transformer_blocks.1.norm1.linear.weight",
    "transformer_blocks.1.norm1.emb.timestep_embedder.linear_2.weight",
    "transformer_blocks.0.norm1.emb.class_embedder.embedding_table.weight",
  ])
  func aTensorThatIsMissingOrHasAnotherShapeIsNamed(name: String) throws {
    let model = try TinyDiT("dit-tiny-untied")
    for (source, reason) in [
      (Source(model.parameters.source, missing: name), "is missing"),
      (Source(model.parameters.source, flat: name), "has the shape"),
    ] {
      if reason == "has the shape", name.hasSuffix("bias") { continue }
      let error = #expect(throws: ParameterError.self) {
        try DiTTransformer(model.configuration, Parameters(source, precision: .float32))
      }
      #expect(error?.name == name && error?.reason.hasPrefix(reason) == true, "\(String(describing: error))")
    }
  }

  private func configuration(_ key: String, _ value: JSONValue) throws -> DiTConfiguration {
    try DiTConfiguration(PartConfiguration(path: "config.json", json: .object([key: value])))
  }

  @Test func theDefaultsAreThoseOfTheLargestModel() throws {
    let large = try configuration("out_channels", 8)
    #expect(large.width == 1152 && large.blockCount == 28 && large.grid.tokens == 256 && large.classes == 1000)
    #expect(try configuration("sample_size", 64).grid.tokens == 1024)
    // The class of older files has no bias unless it says so.
    let old = try configuration("_class_name", "Transformer2DModel")
    #expect(!old.hasAttentionBias && large.hasAttentionBias)
  }

  @Test(
    arguments: [
      ("_class_name", "FluxTransformer2DModel"), ("norm_type", "ada_norm_single"), ("activation_fn", "gelu"),
      ("norm_elementwise_affine", true), ("cross_attention_dim", 1024), ("out_channels", 7), ("num_layers", 0),
      ("attention_head_dim", 0), ("num_attention_heads", 1024), ("sample_size", 31), ("patch_size", 0),
      ("num_embeds_ada_norm", 0), ("norm_eps", 0), ("attention_bias", "yes"),
    ] as [(String, JSONValue)])
  func anArchitectureThatIsNotBuiltIsRefusedByItsKey(key: String, value: JSONValue) throws {
    let error = #expect(throws: FileError.self) { try configuration(key, value) }
    #expect(error?.description.contains("\"\(key)\"") == true, "\(String(describing: error))")
  }

  @Test func inputsThatDoNotFitAreRefused() throws {
    let model = try TinyDiT()
    let transformer = try DiTTransformer(model.configuration, model.parameters)
    _ = try transformer.makeSample(model.inputs(999))
    _ = try transformer.makeSample(model.inputs(nil))
    let (prompt, grid) = (Tensor(zeros: [2, 48]), model.configuration.grid)
    for inputs in [
      model.inputs(1000), model.inputs(-1),
      SampleInputs(grid: grid, condition: .text(prompt, pooled: prompt)),
      SampleInputs(grid: TokenGrid(rows: 4, columns: 9), condition: .label(1)),
    ] {
      #expect(throws: SampleError.self) { try transformer.makeSample(inputs) }
    }
  }
}
