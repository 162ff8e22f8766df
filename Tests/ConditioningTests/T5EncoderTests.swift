import StrictJSON
import Tensors
import Testing

@testable import Conditioning

@Suite struct T5EncoderTests {
  private func configuration(_ checkpoint: String) throws -> T5Configuration {
    try T5Configuration(PartConfiguration(path: "\(checkpoint)/text_encoder_2/config.json"))
  }

  private func store(_ checkpoint: String) throws -> TensorStore {
    try TensorStore(folder: "\(checkpoint)/text_encoder_2")
  }

  private func encoder(_ checkpoint: String, precision: Precision = .float32) throws -> T5Encoder {
    try T5Encoder(configuration(checkpoint), Parameters(store(checkpoint), precision: precision))
  }

  @Test(arguments: [
    "flux_dev_64x64_n4", "flux_dev_96x160_n3_b2", "flux_dev_100x70_floor_empty", "flux_dev_48x80_truecfg",
    "flux_dev_64x48_long512", "flux_dev_128x192_n12", "flux_schnell_64x96_n4", "flux_schnell_48x48_n1",
  ])
  func hiddenStatesAreThoseOfTransformers(_ name: String) throws {
    let goldens = try EncoderGoldens(name)
    let encoder = try encoder(goldens.checkpoint)
    var (call, compared) = (0, 0)
    while let prompts = try goldens.ids("text_encoder_2", call: call) {
      for (index, ids) in prompts.enumerated() {
        let seen = ProbedTensors()
        let output = try encoder(ids, probe: seen.probe)
        compared += try goldens.compare(
          seen.all.merging(["last_hidden_state": output], uniquingKeysWith: { $1 }),
          with: "text_encoder_2.\(call).", prompt: index, of: prompts.count)
      }
      call += 1
    }
    #expect(compared >= 1)
  }

  @Test func theNumberOfThreadsDoesNotChangeABit() throws {
    let goldens = try EncoderGoldens("flux_dev_64x48_long512")
    let encoder = try encoder(goldens.checkpoint)
    let ids = try #require(try goldens.ids("text_encoder_2", call: 0))[0]
    defer { ThreadPool.shared.setThreads(2) }
    let outputs = try [1, 2, 4].map { threads in
      ThreadPool.shared.setThreads(threads)
      return try encoder(ids)
    }
    #expect(outputs.allSatisfy { $0 == outputs[0] })
  }

  @Test func theTableOfTokensMayHaveEitherName() throws {
    let goldens = try EncoderGoldens("flux_dev_64x64_n4")
    let source = ParametersInMemory(try store(goldens.checkpoint)) { name in
      name == "shared.weight" ? "encoder.embed_tokens.weight" : name
    }
    let renamed = try T5Encoder(configuration(goldens.checkpoint), Parameters(source, precision: .float32))
    let ids = try #require(try goldens.ids("text_encoder_2", call: 0))[0]
    #expect(try renamed(ids) == encoder(goldens.checkpoint)(ids))
  }

  @Test func theFirstT5HasNoGate() throws {
    let checkpoint = try EncoderGoldens("flux_dev_64x64_n4").checkpoint
    var configuration = try configuration(checkpoint)
    (configuration.isGated, configuration.activation) = (false, .relu)
    let source = ParametersInMemory(try store(checkpoint)) { name in
      name.hasSuffix("wi_1.weight") ? nil : name.hasSuffix("wi_0.weight") ? name.dropLast(9) + ".weight" : name
    }
    let encoder = try T5Encoder(configuration, Parameters(source, precision: .float32))
    #expect(try encoder([3, 1]).elements.allSatisfy(\.isFinite))
  }

  @Test func scaledFloat8WeightsAreRefused() throws {
    let checkpoint = try EncoderGoldens("flux_dev_64x64_n4").checkpoint
    var source = ParametersInMemory(try store(checkpoint))
    source.tensors["scaled_fp8"] = try StoredTensor(name: "scaled_fp8", dtype: .float8E4M3, shape: [0], bytes: [])
    #expect {
      _ = try T5Encoder(configuration(checkpoint), Parameters(source, precision: .float32))
    } throws: { "\($0)".contains("scaled_fp8") }
  }

  @Test func bfloat16StaysCloseToFloat32() throws {
    let goldens = try EncoderGoldens("flux_dev_64x64_n4")
    let ids = try #require(try goldens.ids("text_encoder_2", call: 0))[0]
    let exact = try encoder(goldens.checkpoint)(ids)
    let fast = try encoder(goldens.checkpoint, precision: .bfloat16)(ids)
    #expect(fast != exact)
    #expect(zip(fast.elements, exact.elements).allSatisfy { abs($0 - $1) < 0.2 })
  }

  @Test func anIdBeyondTheVocabularyIsNamed() throws {
    let encoder = try encoder(EncoderGoldens("flux_dev_64x64_n4").checkpoint)
    #expect {
      _ = try encoder([528])
    } throws: { "\($0)".contains("shared.weight") && "\($0)".contains("528") }
    #expect(throws: TensorError.self) { try encoder([]) }
  }

  @Test func aCancelledTaskStopsEncoding() async throws {
    let encoder = try encoder(EncoderGoldens("flux_dev_64x64_n4").checkpoint)
    let task = Task {
      withUnsafeCurrentTask { $0?.cancel() }
      return try encoder([3, 1])
    }
    await #expect(throws: CancellationError.self) { try await task.value }
  }

  /// Values of `T5Attention._relative_position_bucket` (32 buckets, 128): exact below 8, then by logarithm.
  @Test(arguments: [
    (0, 0), (-1, 1), (1, 17), (-7, 7), (-8, 8), (8, 24), (-11, 8), (-12, 9), (-16, 10), (-31, 11), (-32, 12),
    (64, 30), (-90, 14), (-91, 15), (127, 31), (-1000, 15),
  ])
  func offsetsFallIntoTheBucketsOfTransformers(_ offset: Int, _ bucket: Int) {
    #expect(RelativePositionBuckets(count: 32, maximumDistance: 128).bucket(ofOffset: offset) == bucket)
  }

  @Test(arguments: [
    ("relu", Activation.relu, false), ("gated-gelu", .geluTanh, true), ("gated-silu", .silu, true),
    ("gelu", .geluErf, false),
  ])
  func theMLPIsAsTheConfigurationSays(_ text: String, _ activation: Activation, _ isGated: Bool) throws {
    let json = try JSONValue(parsing: Array(#"{"feed_forward_proj": "\#(text)"}"#.utf8))
    let configuration = try T5Configuration(PartConfiguration(path: "config.json", json: json))
    #expect(configuration.activation == activation && configuration.isGated == isGated)
  }

  @Test(arguments: [
    (#"{"feed_forward_proj": "gated-tanh"}"#, "feed_forward_proj"), (#"{"d_model": -1}"#, "d_model"),
    (#"{"model_type": "umt5"}"#, "model_type"),
    (#"{"relative_attention_num_buckets": 30}"#, "relative_attention_num_buckets"),
    (#"{"relative_attention_max_distance": 8}"#, "relative_attention_max_distance"),
    (#"{"relative_attention_num_buckets": 3528}"#, "\"relative_attention_max_distance\" is missing"),
  ])
  func aBadConfigurationNamesItsKey(_ text: String, _ key: String) throws {
    let json = try JSONValue(parsing: Array(text.utf8))
    #expect {
      _ = try T5Configuration(PartConfiguration(path: "config.json", json: json))
    } throws: { "\($0)".contains(key) }
  }
}
