import Foundation
import StrictJSON
import Tensors
import Testing

@testable import clusca

/// A checkpoint that cannot be used is one sentence, and it is said before there is a picture.
struct BadModelTests {
  /// Renders with a changed copy and expects one sentence with `parts`, status 66 and no picture.
  private func refuse(
    _ name: Comment, naming parts: [String], _ change: (ModelFolder) throws -> Void,
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let folder = try TemporaryFolder()
    let model = ModelFolder(path: try TinyModels.copy(of: TinyModels.dev, in: folder))
    try change(model)
    let outcome = try TinyModels.generate(model.path, "-p", "a cat", "-o", "\(folder.path)/x.png")
    #expect(outcome.status == ExitStatus.input.rawValue, "\(name): \(outcome.errors)", sourceLocation: sourceLocation)
    #expect(outcome.hasOneSentence, "\(name): \(outcome.errors)", sourceLocation: sourceLocation)
    for part in parts {
      #expect(outcome.errors.contains(part), "\(name): \(outcome.errors)", sourceLocation: sourceLocation)
    }
    #expect(folder.names == ["model"], sourceLocation: sourceLocation)
  }

  @Test(arguments: [
    "/nowhere/model", "./nowhere", "nowhere", "a/b/c", "nowhere.safetensors", "/dev/null", "", #filePath,
  ])
  func aModelThatDoesNotExistIsNamed(name: String) throws {
    let outcome = try TinyModels.generate(name, "-p", "a", "-o", "/nowhere/x.png")
    #expect(outcome.status == ExitStatus.input.rawValue && outcome.hasOneSentence, "\(outcome.errors)")
    #expect(name.isEmpty || outcome.errors.contains(name))
  }

  @Test func aFolderThatIsNoPipelineIsRefused() throws {
    try refuse("no index", naming: ["model_index.json"]) { try $0.remove("model_index.json") }
    try refuse("pipeline", naming: ["OtherPipeline", "model_index.json"]) {
      try $0.set("model_index.json", [("_class_name", "OtherPipeline")])
    }
    try refuse("no class", naming: ["_class_name"]) { try $0.set("model_index.json", [("_class_name", nil)]) }
    try refuse("no part", naming: ["text_encoder_2"]) { try $0.set("model_index.json", [("text_encoder_2", nil)]) }
    try refuse("null part", naming: ["vae"]) { try $0.set("model_index.json", [("vae", [nil, nil])]) }
    try refuse("no folder", naming: ["/tokenizer"]) { try $0.remove("tokenizer") }
    try refuse("broken", naming: ["model_index.json"]) { try $0.write("model_index.json", "{\"a\":".utf8) }
    try refuse("no object", naming: ["model_index.json"]) { try $0.write("model_index.json", "[]".utf8) }
  }

  @Test(arguments: ["transformer", "vae", "scheduler"])
  func anUnknownArchitectureIsRefused(part: String) throws {
    let file = part == "scheduler" ? "scheduler/scheduler_config.json" : "\(part)/config.json"
    try refuse("class", naming: [file, "SD3Transformer2DModel"]) {
      try $0.set(file, [("_class_name", "SD3Transformer2DModel")])
    }
    try refuse("broken", naming: [file]) { try $0.write(file, "{\"a\": 1,}".utf8) }
    try refuse("missing", naming: [file]) { try $0.remove(file) }
  }

  @Test func filesOfWeightsThatAreMissingOrCutAreNamed() throws {
    let shard = "diffusion_pytorch_model-00002-of-00003.safetensors"
    try refuse("shard", naming: [shard]) { try $0.remove("transformer/\(shard)") }
    try refuse("cut", naming: [shard]) { model in
      try model.write("transformer/\(shard)", model.read("transformer/\(shard)").dropLast())
    }
    try refuse("empty", naming: ["vae/diffusion_pytorch_model.safetensors"]) {
      try $0.write("vae/diffusion_pytorch_model.safetensors", [])
    }
    try refuse("no weights", naming: ["text_encoder"]) { try $0.remove("text_encoder/model.safetensors") }
    let index = "transformer/diffusion_pytorch_model.safetensors.index.json"
    try refuse("index", naming: [index]) { try $0.write(index, "{\"weight_map\": {\"a\": 1}}".utf8) }
    try refuse("broken index", naming: [index]) { try $0.write(index, "{".utf8) }
    try refuse("index leads out", naming: [index]) {
      try $0.write(index, "{\"weight_map\": {\"a\": \"../../x.safetensors\"}}".utf8)
    }
    try refuse("index of nothing", naming: ["nothing.safetensors"]) {
      try $0.write(index, "{\"weight_map\": {\"a\": \"nothing.safetensors\"}}".utf8)
    }
  }

  @Test(arguments: [
    #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[2,6]}}"#,
    #"{"a":{"dtype":"F32","shape":[9223372036854775807,8],"data_offsets":[0,4]}}"#,
    #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,18446744073709551615]}}"#,
    #"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[4,0]}}"#,
    #"{"a":{"dtype":"F99","shape":[1],"data_offsets":[0,4]}}"#,
    #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
    "[]", "{", "{}",
  ])
  func hostileHeadersAreRefused(header: String) throws {
    let length = (0..<8).map { UInt8(truncatingIfNeeded: header.utf8.count >> (8 * $0)) }
    try refuse("\(header)", naming: ["model.safetensors"]) {
      try $0.write("text_encoder/model.safetensors", length + Array(header.utf8) + [0, 0, 0, 0])
    }
  }

  @Test func aHeaderOfAHugeLengthIsRefused() throws {
    for length: UInt64 in [.max, 1 << 62, 1 << 40, 100] {
      let bytes = (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) }
      try refuse("\(length)", naming: ["model.safetensors"]) {
        try $0.write("text_encoder/model.safetensors", bytes + Array("{}".utf8))
      }
    }
  }

  @Test(arguments: [
    ("transformer", "transformer_blocks.1.attn.to_k.weight"), ("transformer", "proj_out.bias"),
    ("vae", "decoder.conv_in.weight"), ("vae", "decoder.conv_norm_out.bias"),
    ("text_encoder", "text_model.encoder.layers.1.mlp.fc1.weight"),
    ("text_encoder", "text_model.embeddings.token_embedding.weight"),
    ("text_encoder_2", "encoder.block.0.layer.0.SelfAttention.relative_attention_bias.weight"),
  ])
  func aTensorThatIsMissingOrWrongIsNamed(part: String, name: String) throws {
    try refuse("missing", naming: [name]) { try $0.rewrite(part) { $0.name == name ? nil : $0 } }
    try refuse("whole numbers", naming: [name, "I32"]) { model in
      try model.rewrite(part) { tensor in
        guard tensor.name == name else { return tensor }
        return try StoredTensor(
          name: name, dtype: .int32, shape: tensor.shape, bytes: tensor.withBytes { [UInt8]($0) })
      }
    }
    try refuse("shape", naming: [name, "shape"]) { model in
      try model.rewrite(part) { try $0.name == name ? $0.reshaped([1] + $0.shape) : $0 }
    }
  }

  @Test(arguments: [("transformer", "proj_out.bias"), ("vae", "decoder.conv_in.weight")])
  func whatIsMissingIsFoundBeforePromptsAreEncoded(part: String, name: String) throws {
    try refuse("both", naming: [name]) { model in
      try model.rewrite(part) { $0.name == name ? nil : $0 }
      try model.rewrite("text_encoder") { $0.name == "text_model.final_layer_norm.bias" ? nil : $0 }
    }
  }

  @Test func weightsThatAreNoNumbersGiveNoPicture() throws {
    for (part, name) in [("transformer", "proj_out.bias"), ("vae", "decoder.conv_out.bias")] {
      try refuse("\(name)", naming: ["numbers"]) { model in
        try model.rewrite(part) { tensor in
          guard tensor.name == name else { return tensor }
          return try StoredTensor(
            name: name, shape: tensor.shape, values: [Float](repeating: .nan, count: tensor.elementCount))
        }
      }
    }
  }

  private static let impossible: [(String, String, JSONValue, String)] = [
    ("transformer", "num_attention_heads", 0, "num_attention_heads"),
    ("transformer", "num_attention_heads", 1024, "attention_head_dim"),
    ("transformer", "attention_head_dim", 21, "axes_dims_rope"), ("transformer", "attention_head_dim", -2, "attention"),
    ("transformer", "attention_head_dim", 1_000_000, "attention_head_dim"),
    ("transformer", "axes_dims_rope", [4, 10, 8], "axes_dims_rope"), ("transformer", "axes_dims_rope", [20], "axes"),
    ("transformer", "axes_dims_rope", [5, 9, 6], "axes"), ("transformer", "axes_dims_rope", [], "axes"),
    ("transformer", "num_layers", 1_000_000_000, "num_layers"),
    ("transformer", "num_layers", 1000, "transformer_blocks.2"),
    ("transformer", "num_single_layers", -1, "num_single"), ("transformer", "in_channels", 60, "channels"),
    ("transformer", "patch_size", 2, "patch_size"), ("transformer", "guidance_embeds", 1, "guidance_embeds"),
    ("transformer", "joint_attention_dim", 41, "joint_attention_dim"),
    ("transformer", "pooled_projection_dim", 35, "pooled_projection_dim"),
    ("vae", "block_out_channels", [], "block_out_channels"), ("vae", "norm_num_groups", 5, "norm_num_groups"),
    ("vae", "norm_num_groups", 0, "norm_num_groups"), ("vae", "latent_channels", 4, "channels"),
    ("vae", "scaling_factor", 0, "scaling_factor"), ("vae", "scaling_factor", "1", "scaling_factor"),
    ("vae", "out_channels", 4, "channels"), ("vae", "sample_size", 0, "sample_size"),
    ("vae", "act_fn", "relu", "act_fn"),
    ("vae", "layers_per_block", 64, "resnets"), ("text_encoder", "hidden_size", 37, "num_attention_heads"),
    ("text_encoder", "hidden_size", 33, "CLIP"), ("text_encoder", "num_attention_heads", 0, "num_attention_heads"),
    ("text_encoder", "vocab_size", 813, "token_embedding"), ("text_encoder", "hidden_act", "tanh", "hidden_act"),
    ("text_encoder", "max_position_embeddings", 0, "max_position_embeddings"),
    ("text_encoder_2", "d_model", 41, "T5"), ("text_encoder_2", "d_kv", 0, "d_kv"),
    ("text_encoder_2", "relative_attention_num_buckets", 30, "relative_attention_num_buckets"),
    ("text_encoder_2", "relative_attention_max_distance", 1, "relative_attention_max_distance"),
    ("text_encoder_2", "model_type", "umt5", "model_type"), ("text_encoder_2", "num_layers", 3, "encoder.block.2"),
  ]

  @Test(arguments: impossible)
  func impossibleSettingsAreRefused(part: String, key: String, value: JSONValue, named: String) throws {
    try refuse("\(key)", naming: [named]) { try $0.set("\(part)/config.json", [(key, value)]) }
  }

  @Test func damagedTokenizersAreRefused() throws {
    try refuse("tokenizer.json", naming: ["tokenizer.json"]) { model in
      try model.write("tokenizer_2/tokenizer.json", model.read("tokenizer_2/tokenizer.json").dropLast(20))
    }
    try refuse("merges", naming: ["merges.txt"]) { try $0.remove("tokenizer/merges.txt") }
    try refuse("vocabulary", naming: ["vocab.json"]) { try $0.write("tokenizer/vocab.json", "{\"a\": -1}".utf8) }
    try refuse("configuration", naming: ["tokenizer_config.json"]) {
      try $0.write("tokenizer/tokenizer_config.json", "".utf8)
    }
    try refuse("nothing", naming: ["tokenizer_2"]) { model in
      for name in ["tokenizer.json", "spiece.model"] { try model.remove("tokenizer_2/\(name)") }
    }
  }

  @Test func textEncodersThatDoNotFitAreFoundBeforeTheirWeightsAreRead() throws {
    // The widths are looked at first: the encoder's weights are damaged too, and nothing is said about them.
    try refuse("width", naming: ["joint_attention_dim"]) { model in
      try model.set("transformer/config.json", [("joint_attention_dim", 41)])
      try model.rewrite("text_encoder_2") { $0.name.contains("final_layer_norm") ? nil : $0 }
    }
  }

  @Test func settingsOfTheCheckpointAreCheckedAsOptionsAre() throws {
    for (json, named) in [
      (#"{"width":0}"#, "width"), (#"{"num_inference_steps":1e9}"#, "num_inference_steps"),
      (#"{"max_sequence_length":-1}"#, "max_sequence_length"), (#"{"guidance_scale":1e300}"#, "guidance_scale"),
      (#"{"true_cfg_scale":-1}"#, "true_cfg_scale"), ("[", "settings.json"),
    ] {
      try refuse("\(json)", naming: ["settings.json", named]) { try $0.write("settings.json", json.utf8) }
    }
  }
}
