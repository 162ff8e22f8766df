import StrictJSON
import Tensors
import Testing

@testable import Conditioning

@Suite struct LlamaEncoderTests {
  private static let folder = "\(EncoderGoldens.folder)/checkpoints/hunyuan-tiny/text_encoder"

  private func encoder(layerCount: Int? = nil, precision: Precision = .float32) throws -> LlamaEncoder {
    try LlamaEncoder(
      LlamaConfiguration(PartConfiguration(path: "\(Self.folder)/config.json")),
      Parameters(TensorStore(folder: Self.folder), precision: precision), layerCount: layerCount)
  }

  private func validTokens(_ goldens: EncoderGoldens) throws -> Int {
    Int(try #require(goldens.file["text_encoder.0.attention_mask"]).int64Values().reduce(0, +))
  }

  @Test(arguments: [
    "hunyuan_48x80_f5_n3", "hunyuan_64x48_f1_n2_unicode", "hunyuan_32x32_f9_n2_empty", "hunyuan_32x32_f5_n1_long256",
    "hunyuan_32x48_f25_n1_temporal_tiles",
  ])
  func hiddenStatesAreThoseOfTransformersForPaddingToo(_ name: String) throws {
    let goldens = try EncoderGoldens(name)
    let ids = try #require(try goldens.ids("text_encoder", call: 0))[0]
    let seen = ProbedTensors()
    let valid = try validTokens(goldens)
    let last = try encoder()(ids, validTokens: valid, probe: seen.probe)
    let tensors = seen.all.merging(["last_hidden_state": last], uniquingKeysWith: { $1 })
    #expect(try goldens.compare(tensors, with: "text_encoder.0.", prompt: 0, of: 1) >= 7)
  }

  @Test func theFirstLayersGiveTheirHiddenStatesWithoutTheLastNorm() throws {
    let goldens = try EncoderGoldens("hunyuan_48x80_f5_n3")
    let ids = try #require(try goldens.ids("text_encoder", call: 0))[0]
    let seen = ProbedTensors()
    let valid = try validTokens(goldens)
    _ = try encoder()(ids, validTokens: valid, probe: seen.probe)
    #expect(try encoder(layerCount: 3)(ids, validTokens: valid) == seen.all["hidden_states.3"])
    // The other layers and the norm need not be there.
    let source = ParametersInMemory(try TensorStore(folder: Self.folder)) { name in
      name.hasPrefix("layers.3") || name.hasPrefix("layers.4") || name == "norm.weight" ? nil : "model." + name
    }
    let configuration = try LlamaConfiguration(PartConfiguration(path: "\(Self.folder)/config.json"))
    let nested = try LlamaEncoder(configuration, Parameters(source, precision: .float32), layerCount: 3)
    #expect(try nested(ids, validTokens: valid) == seen.all["hidden_states.3"])
    let error = #expect(throws: ParameterError.self) {
      try LlamaEncoder(configuration, Parameters(source, precision: .float32), layerCount: 4)
    }
    #expect(error?.name.hasPrefix("model.layers.3.") == true)
  }

  @Test func paddingDoesNotChangeThePrompt() throws {
    let encoder = try encoder()
    let prompt: [Int32] = [520, 5, 17, 200, 9]
    let expected = try encoder(prompt + [525, 525, 525], validTokens: 5).rows(0..<5)
    #expect(try encoder(prompt + [1, 2, 3], validTokens: 5).rows(0..<5) == expected)
  }

  @Test func bfloat16StaysCloseToFloat32() throws {
    let ids: [Int32] = [520, 5, 17, 200, 9]
    let (exact, fast) = (
      try encoder()(ids, validTokens: 5), try encoder(precision: .bfloat16)(ids, validTokens: 5)
    )
    #expect(fast != exact)
    #expect(zip(fast.elements, exact.elements).allSatisfy { abs($0 - $1) < 0.2 })
  }

  @Test func idsThatDoNotFitAreNamed() throws {
    let encoder = try encoder()
    #expect {
      _ = try encoder([528], validTokens: 1)
    } throws: { "\($0)".contains("embed_tokens") && "\($0)".contains("528") }
    #expect(throws: TensorError.self) { try encoder([], validTokens: 0) }
    #expect(throws: TensorError.self) { try encoder([Int32](repeating: 1, count: 8193), validTokens: 1) }
  }

  @Test func theBaseOfTheRotationStandsAloneOrAmongItsParameters() throws {
    for text in [#"{"rope_theta": 500}"#, #"{"rope_parameters": {"rope_type": "default", "rope_theta": 500}}"#] {
      let json = try JSONValue(parsing: Array(text.utf8))
      #expect(try LlamaConfiguration(PartConfiguration(path: "config.json", json: json)).ropeTheta == 500)
    }
  }

  @Test(arguments: [
    (#"{"hidden_act": "mish"}"#, "hidden_act"), (#"{"num_key_value_heads": 5}"#, "num_key_value_heads"),
    (#"{"hidden_size": 0}"#, "hidden_size"), (#"{"model_type": "mistral"}"#, "model_type"),
    (#"{"rope_scaling": {"rope_type": "llama3"}}"#, "rope_scaling"), (#"{"head_dim": 13}"#, "head_dim"),
    (#"{"hidden_size": 65536, "num_attention_heads": 1}"#, "\"head_dim\" is missing"),
    (#"{"rope_theta": -1}"#, "rope_theta"), (#"{"rope_parameters": {"rope_type": "yarn"}}"#, "rope_type"),
  ])
  func aBadConfigurationNamesItsKey(_ text: String, _ key: String) throws {
    let json = try JSONValue(parsing: Array(text.utf8))
    #expect {
      _ = try LlamaConfiguration(PartConfiguration(path: "config.json", json: json))
    } throws: { "\($0)".contains(key) }
  }
}
