import StrictJSON
import Tensors
import Testing

@testable import Conditioning

@Suite struct CLIPTextEncoderTests {
  private func encoder(_ checkpoint: String, precision: Precision = .float32) throws -> CLIPTextEncoder {
    let folder = "\(checkpoint)/text_encoder"
    return try CLIPTextEncoder(
      CLIPTextConfiguration(PartConfiguration(path: "\(folder)/config.json")),
      Parameters(TensorStore(folder: folder), precision: precision))
  }

  @Test(arguments: [
    "flux_dev_64x64_n4", "flux_dev_96x160_n3_b2", "flux_dev_100x70_floor_empty", "flux_dev_48x80_truecfg",
    "flux_dev_64x48_long512", "flux_dev_128x192_n12", "flux_schnell_64x96_n4", "flux_schnell_48x48_n1",
  ])
  func hiddenStatesAreThoseOfTransformers(_ name: String) throws {
    let goldens = try EncoderGoldens(name)
    let encoder = try encoder(goldens.checkpoint)
    var (call, compared) = (0, 0)
    while let prompts = try goldens.ids("text_encoder", call: call) {
      for (index, ids) in prompts.enumerated() {
        let seen = ProbedTensors()
        let output = try encoder(ids, probe: seen.probe)
        let tensors = seen.all.merging(
          ["last_hidden_state": output.hiddenStates, "pooler_output": output.pooled], uniquingKeysWith: { $1 })
        compared += try goldens.compare(
          tensors, with: "text_encoder.\(call).", prompt: index, of: prompts.count)
      }
      call += 1
    }
    #expect(compared >= 2)
  }

  @Test func theNumberOfThreadsDoesNotChangeABit() throws {
    let goldens = try EncoderGoldens("flux_dev_64x64_n4")
    let encoder = try encoder(goldens.checkpoint)
    let ids = try #require(try goldens.ids("text_encoder", call: 0))[0]
    defer { ThreadPool.shared.setThreads(2) }
    let outputs = try [1, 2, 4].map { threads in
      ThreadPool.shared.setThreads(threads)
      return try encoder(ids)
    }
    for output in outputs {
      #expect(output.hiddenStates == outputs[0].hiddenStates && output.pooled == outputs[0].pooled)
    }
  }

  @Test func anOldConfigurationPoolsAtTheLargestId() throws {
    let goldens = try EncoderGoldens("flux_dev_64x64_n4")
    let encoder = try encoder(goldens.checkpoint)
    #expect(encoder.configuration.endOfText == 2)
    #expect(encoder.pooledPosition([5, 2, 9, 9, 2]) == 2)
  }

  @Test func aNewConfigurationPoolsAtTheFirstEndToken() throws {
    let folder = try EncoderGoldens("flux_dev_64x64_n4").checkpoint + "/text_encoder"
    var configuration = try CLIPTextConfiguration(PartConfiguration(path: "\(folder)/config.json"))
    configuration.endOfText = 7
    let encoder = try CLIPTextEncoder(configuration, Parameters(TensorStore(folder: folder), precision: .float32))
    #expect(encoder.pooledPosition([5, 813, 7, 7]) == 2)
    #expect(encoder.pooledPosition([5, 813]) == 0)
  }

  @Test func bfloat16StaysCloseToFloat32() throws {
    let goldens = try EncoderGoldens("flux_dev_64x64_n4")
    let ids = try #require(try goldens.ids("text_encoder", call: 0))[0]
    let exact = try encoder(goldens.checkpoint)(ids).pooled
    let fast = try encoder(goldens.checkpoint, precision: .bfloat16)(ids).pooled
    #expect(fast != exact)
    #expect(zip(fast.elements, exact.elements).allSatisfy { abs($0 - $1) < 0.1 })
  }

  @Test func anIdBeyondTheVocabularyIsNamed() throws {
    let encoder = try encoder(EncoderGoldens("flux_dev_64x64_n4").checkpoint)
    #expect {
      _ = try encoder([1, 814])
    } throws: { "\($0)".contains("token_embedding") && "\($0)".contains("814") }
    #expect(throws: TensorError.self) { try encoder([-1]) }
    #expect(throws: TensorError.self) { try encoder([]) }
    #expect(throws: TensorError.self) { try encoder([Int32](repeating: 1, count: 78)) }
  }

  @Test func aMissingTensorIsNamed() throws {
    let folder = try EncoderGoldens("flux_dev_64x64_n4").checkpoint + "/text_encoder"
    let configuration = try CLIPTextConfiguration(PartConfiguration(path: "\(folder)/config.json"))
    let missing = "text_model.encoder.layers.1.mlp.fc2.bias"
    let source = ParametersInMemory(try TensorStore(folder: folder)) { $0 == missing ? nil : $0 }
    #expect {
      _ = try CLIPTextEncoder(configuration, Parameters(source, precision: .float32))
    } throws: { ($0 as? ParameterError)?.name == missing }
  }

  @Test(arguments: [
    (#"{"hidden_act": "mish"}"#, "hidden_act"), (#"{"num_attention_heads": 7}"#, "num_attention_heads"),
    (#"{"hidden_size": 0}"#, "hidden_size"), (#"{"model_type": "bert"}"#, "model_type"),
  ])
  func aBadConfigurationNamesItsKey(_ text: String, _ key: String) throws {
    let json = try JSONValue(parsing: Array(text.utf8))
    #expect {
      _ = try CLIPTextConfiguration(PartConfiguration(path: "config.json", json: json))
    } throws: { "\($0)".contains(key) }
  }
}
