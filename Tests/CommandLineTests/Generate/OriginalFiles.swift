import Foundation
import Tensors

/// The single files of Black Forest Labs, made from a checkpoint in the layout of diffusers.
struct OriginalFiles {
  let folder: String
  private let source: String

  /// What `generate` takes.
  var arguments: [String] {
    [
      "-m", "\(folder)/flux1-x.safetensors", "--vae", "\(folder)/ae.safetensors", "--clip-l",
      "\(folder)/clip_l.safetensors", "--t5xxl", "\(folder)/t5xxl.safetensors", "--tokenizer", "\(source)/tokenizer",
      "--tokenizer-2", "\(source)/tokenizer_2",
    ]
  }

  /// - Parameter prefix: of the transformer's names, as other programs write it.
  init(of source: String, in folder: String, prefix: String = "") throws {
    self.folder = folder
    self.source = source
    let transformer = try Self.transformer(TensorStore(folder: "\(source)/transformer"))
    try write("flux1-x", transformer.map { try $0.renamed(prefix + $0.name) }, settings: "transformer")
    try write("ae", Self.autoencoder(TensorStore(folder: "\(source)/vae")), settings: "vae")
    for (name, part) in [("clip_l", "text_encoder"), ("t5xxl", "text_encoder_2")] {
      let store = try TensorStore(folder: "\(source)/\(part)")
      try write(name, store.names.map { try store.tensor($0) }, settings: part)
    }
  }

  private func write(_ name: String, _ tensors: [StoredTensor], settings part: String) throws {
    try SafetensorsWriter.write(tensors, to: "\(folder)/\(name).safetensors")
    try FileManager.default.copyItem(atPath: "\(source)/\(part)/config.json", toPath: "\(folder)/\(name).json")
  }

  // MARK: - Transformer

  private static let outside = [
    "img_in": "x_embedder", "txt_in": "context_embedder", "final_layer.linear": "proj_out",
    "time_in.in_layer": "time_text_embed.timestep_embedder.linear_1",
    "time_in.out_layer": "time_text_embed.timestep_embedder.linear_2",
    "guidance_in.in_layer": "time_text_embed.guidance_embedder.linear_1",
    "guidance_in.out_layer": "time_text_embed.guidance_embedder.linear_2",
    "vector_in.in_layer": "time_text_embed.text_embedder.linear_1",
    "vector_in.out_layer": "time_text_embed.text_embedder.linear_2",
  ]

  private static let double: [String: [String]] = [
    "img_mod.lin": ["norm1.linear"], "txt_mod.lin": ["norm1_context.linear"],
    "img_attn.qkv": ["attn.to_q", "attn.to_k", "attn.to_v"],
    "txt_attn.qkv": ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"], "img_attn.proj": ["attn.to_out.0"],
    "txt_attn.proj": ["attn.to_add_out"], "img_mlp.0": ["ff.net.0.proj"], "img_mlp.2": ["ff.net.2"],
    "txt_mlp.0": ["ff_context.net.0.proj"], "txt_mlp.2": ["ff_context.net.2"],
  ]

  private static let doubleNorms = [
    "img_attn.norm.query_norm": "attn.norm_q", "img_attn.norm.key_norm": "attn.norm_k",
    "txt_attn.norm.query_norm": "attn.norm_added_q", "txt_attn.norm.key_norm": "attn.norm_added_k",
  ]

  private static let single: [String: [String]] = [
    "modulation.lin": ["norm.linear"], "linear1": ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"],
    "linear2": ["proj_out"],
  ]

  private static let singleNorms = ["norm.query_norm": "attn.norm_q", "norm.key_norm": "attn.norm_k"]

  private static func transformer(_ store: TensorStore) throws -> [StoredTensor] {
    var tensors: [StoredTensor] = []
    for kind in ["weight", "bias"] {
      for (name, source) in outside where store.contains("\(source).\(kind)") {
        tensors.append(try store.tensor("\(source).\(kind)").renamed("\(name).\(kind)"))
      }
      // scale, shift → shift, scale
      let last = try store.tensor("norm_out.linear.\(kind)")
      let half = last.shape[0] / 2
      tensors.append(
        try joined([last.rows(half..<2 * half), last.rows(0..<half)], "final_layer.adaLN_modulation.1.\(kind)"))
    }
    tensors += try blocks(store, "transformer_blocks", as: "double_blocks", double, doubleNorms)
    tensors += try blocks(store, "single_transformer_blocks", as: "single_blocks", single, singleNorms)
    return tensors
  }

  private static func blocks(
    _ store: TensorStore, _ stack: String, as other: String, _ maps: [String: [String]], _ norms: [String: String]
  ) throws -> [StoredTensor] {
    var tensors: [StoredTensor] = []
    for block in 0..<100 where store.names.contains(where: { $0.hasPrefix("\(stack).\(block).") }) {
      for (name, sources) in maps {
        for kind in ["weight", "bias"] {
          tensors.append(
            try joined(
              sources.map { try store.tensor("\(stack).\(block).\($0).\(kind)") }, "\(other).\(block).\(name).\(kind)"))
        }
      }
      for (name, source) in norms {
        tensors.append(
          try store.tensor("\(stack).\(block).\(source).weight").renamed("\(other).\(block).\(name).scale"))
      }
    }
    return tensors
  }

  /// Rows below one another.
  private static func joined(_ parts: [StoredTensor], _ name: String) throws -> StoredTensor {
    let shape = [parts.reduce(0) { $0 + $1.shape[0] }] + parts[0].shape.dropFirst()
    return try StoredTensor(
      name: name, dtype: parts[0].dtype, shape: Array(shape), bytes: parts.flatMap { $0.withBytes { [UInt8]($0) } })
  }

  // MARK: - Autoencoder

  private static func autoencoder(_ store: TensorStore) throws -> [StoredTensor] {
    let blocks = Set(store.names.compactMap { $0.firstMatch(of: /^decoder\.up_blocks\.(\d+)\./)?.1 }).count
    return try store.names.filter { $0.hasPrefix("decoder.") }.map { name in
      let tensor = try store.tensor(name)
      let other = originalName(name, blocks: blocks)
      // Their attention is made of 1 x 1 convolutions.
      let isProjection = other.contains("mid.attn_1.") && !other.contains(".norm.") && other.hasSuffix("weight")
      let renamed = try tensor.renamed(other)
      return isProjection ? try renamed.reshaped(tensor.shape + [1, 1]) : renamed
    }
  }

  private static func originalName(_ name: String, blocks: Int) -> String {
    var name = name
    if let match = name.firstMatch(of: /^decoder\.up_blocks\.(\d+)\.(.*)$/), let block = Int(match.1) {
      let rest = match.2.replacing("resnets.", with: "block.").replacing("upsamplers.0.conv", with: "upsample.conv")
      name = "decoder.up.\(blocks - 1 - block).\(rest)"
    }
    for (diffusers, original) in [
      ("mid_block.resnets.0", "mid.block_1"), ("mid_block.resnets.1", "mid.block_2"),
      ("mid_block.attentions.0.group_norm", "mid.attn_1.norm"),
      ("mid_block.attentions.0.to_out.0", "mid.attn_1.proj_out"), ("mid_block.attentions.0.to_", "mid.attn_1."),
      ("conv_shortcut", "nin_shortcut"), ("conv_norm_out", "norm_out"),
    ] { name = name.replacing(diffusers, with: original) }
    return name
  }
}
