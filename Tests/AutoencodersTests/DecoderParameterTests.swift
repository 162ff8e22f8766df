import StrictJSON
import Tensors
import Testing

@testable import Autoencoders

@Suite struct DecoderParameterTests {
  private let vae = "\(DecoderGoldens.folder)/checkpoints/flux-dev-tiny/vae"
  private let z = Tensor((0..<384).map { Float($0 * 37 % 101) / 50 - 1 }, shape: [1, 16, 4, 6])

  private func decoder(_ source: any ParameterSource, prefix: String = "") throws -> AutoencoderKLDecoder {
    let configuration = try AutoencoderKLConfiguration(PartConfiguration(path: "\(vae)/config.json"))
    return try AutoencoderKLDecoder(configuration, Parameters(source, prefix: prefix, precision: .float32))
  }

  @Test func oldNamesOfTheAttentionGiveTheSameBits() throws {
    let store = try TensorStore(folder: vae)
    let table = ["to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"]
    let source = ParametersInMemory(store) { name in
      table.reduce(name) { $0.replacing("attentions.0." + $1.key, with: "attentions.0." + $1.value) }
    }
    #expect(source.tensors["decoder.mid_block.attentions.0.proj_attn.bias"] != nil)
    #expect(try decoder(source).decode(z) == decoder(store).decode(z))
  }

  @Test func whatTheWeightsTakeIsKnownBeforeTheyAreLoaded() throws {
    let store = try TensorStore(folder: vae)
    let loaded = try decoder(store).weightBytes
    // With norms, which the decoder does not count.
    #expect((loaded...loaded * 102 / 100).contains(store.decoderWeightBytes), "\(store.decoderWeightBytes), \(loaded)")
  }

  @Test(arguments: ["", "vae."])
  func theOriginalNamesGiveTheSameBits(_ prefix: String) throws {
    let store = try TensorStore(folder: vae)
    var source = ParametersInMemory()
    for name in store.names {
      guard let original = Self.originalName(name), let stored = store[name] else { continue }
      // Their attention consists of 1×1 convolutions.
      let isMatrix = stored.shape.count == 2
      source.tensors[prefix + original] = isMatrix ? try stored.reshaped(stored.shape + [1, 1]) : stored
    }
    #expect(source.tensors[prefix + "decoder.up.3.block.0.conv1.weight"]?.shape == [32, 32, 3, 3])
    #expect(source.tensors[prefix + "decoder.up.1.block.0.nin_shortcut.weight"]?.shape == [16, 24, 1, 1])
    #expect(source.tensors[prefix + "decoder.mid.attn_1.proj_out.weight"]?.shape == [32, 32, 1, 1])
    #expect(try decoder(source, prefix: prefix).decode(z) == decoder(store).decode(z))
  }

  /// From diffusers' name to that of `ae.safetensors`, written apart from the code that it tests.
  private static func originalName(_ name: String) -> String? {
    var parts = name.split(separator: ".").map(String.init)
    guard parts[0] == "decoder" else { return nil }
    switch parts[1] {
    case "mid_block" where parts[2] == "resnets":
      parts.replaceSubrange(1...3, with: ["mid", parts[3] == "0" ? "block_1" : "block_2"])
    case "mid_block":
      let names = ["group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out": "proj_out"]
      parts = ["decoder", "mid", "attn_1", names[parts[4], default: "?"], parts.last ?? "?"]
    case "up_blocks":
      let levels = ["0": "3", "1": "2", "2": "1", "3": "0"]
      let kind = parts[3] == "resnets" ? ["block", parts[4]] : ["upsample"]
      parts.replaceSubrange(1...4, with: ["up", levels[parts[2], default: "?"]] + kind)
    case "conv_norm_out": parts[1] = "norm_out"
    default: break
    }
    return parts.joined(separator: ".").replacing("conv_shortcut", with: "nin_shortcut")
  }

  @Test func aConvolutionBehindTheQuantizationIsApplied() throws {
    let store = try TensorStore(folder: vae)
    var configuration = try AutoencoderKLConfiguration(PartConfiguration(path: "\(vae)/config.json"))
    configuration.hasPostQuantConvolution = true
    // It doubles the latents.
    var source = ParametersInMemory(store)
    let doubling = (0..<256).map { Float($0 / 16 == $0 % 16 ? 2 : 0) }
    source.tensors["post_quant_conv.weight"] = try StoredTensor(name: "w", shape: [16, 16, 1, 1], values: doubling)
    source.tensors["post_quant_conv.bias"] = try StoredTensor(
      name: "b", shape: [16], values: [Float](repeating: 0, count: 16))
    let decoder = try AutoencoderKLDecoder(configuration, Parameters(source, precision: .float32))
    #expect(try decoder.decode(z) == self.decoder(store).decode(z + z))
  }

  @Test func aMissingTensorIsNamed() throws {
    let missing = "decoder.up_blocks.2.resnets.0.conv_shortcut.weight"
    let source = ParametersInMemory(try TensorStore(folder: vae)) { $0 == missing ? nil : $0 }
    #expect {
      _ = try decoder(source)
    } throws: { ($0 as? ParameterError)?.name == missing }
  }

  @Test func aWrongShapeOrTypeIsNamed() throws {
    var source = ParametersInMemory(try TensorStore(folder: vae))
    let name = "decoder.conv_in.weight"
    source.tensors[name] = try StoredTensor(
      name: name, shape: [32, 16, 1, 1], values: [Float](repeating: 0, count: 512))
    #expect {
      _ = try decoder(source)
    } throws: { "\($0)".contains(name) && "\($0)".contains("[32, 16, 3, 3]") }
    source.tensors[name] = try StoredTensor(
      name: name, dtype: .int8, shape: [32, 16, 3, 3], bytes: [UInt8](repeating: 0, count: 32 * 16 * 9))
    #expect {
      _ = try decoder(source)
    } throws: { "\($0)".contains(name) && "\($0)".contains("I8") }
  }

  @Test(arguments: [
    (#"{"norm_num_groups": 5, "block_out_channels": [8, 16]}"#, "norm_num_groups"), (#"{"act_fn": "gelu"}"#, "act_fn"),
    (#"{"latent_channels": 0}"#, "latent_channels"), (#"{"block_out_channels": []}"#, "block_out_channels"),
    (#"{"scaling_factor": 0}"#, "scaling_factor"), (#"{"latents_mean": [0.5]}"#, "latents_mean"),
    (#"{"up_block_types": ["AttnUpDecoderBlock2D"]}"#, "up_block_types"),
    (#"{"_class_name": "VQModel"}"#, "_class_name"),
  ])
  func aBadConfigurationNamesItsKey(_ text: String, _ key: String) throws {
    let json = try JSONValue(parsing: Array(text.utf8))
    #expect {
      _ = try AutoencoderKLConfiguration(PartConfiguration(path: "config.json", json: json))
    } throws: { "\($0)".contains(key) }
  }

  @Test func aConfigurationsDefaultsAreThoseOfDiffusers() throws {
    let json = try JSONValue(parsing: Array(#"{"shift_factor": null, "sample_size": [512, 256]}"#.utf8))
    let configuration = try AutoencoderKLConfiguration(PartConfiguration(path: "config.json", json: json))
    #expect(configuration.latentChannels == 4 && configuration.channels == [64] && configuration.layersPerBlock == 1)
    #expect(configuration.scalingFactor == 0.18215 && configuration.shiftFactor == 0)
    #expect(configuration.hasPostQuantConvolution && configuration.hasMidAttention && configuration.sampleSize == 512)
  }
}
