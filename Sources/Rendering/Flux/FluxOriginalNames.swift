import Tensors

/// The parameters of a FLUX transformer in Black Forest Labs' own single file, asked for by diffusers' names.
///
/// Their file joins q, k and v (and in single blocks the MLP's input) in one matrix, which is cut by rows here, and
/// orders the last modulation as shift, scale, where diffusers has scale, shift.
struct FluxOriginalNames: ParameterSource {
  private let source: any ParameterSource
  private let prefix: String
  private let width: Int

  var path: String { source.path }

  /// - Parameters:
  ///   - prefix: what stands before all names: nothing, or `model.diffusion_model.` in files of other programs.
  ///   - width: of the transformer's hidden states.
  init(_ source: any ParameterSource, prefix: String, width: Int) {
    self.source = source
    self.prefix = prefix
    self.width = width
  }

  func parameter(_ name: String) throws -> StoredTensor? {
    let parts = name.split(separator: ".").map(String.init)
    guard let kind = parts.last else { return nil }
    let module = parts.dropLast().joined(separator: ".")
    if let original = Self.outside[module] { return try stored("\(original).\(kind)") }
    if module == "norm_out.linear" {
      return try stored("final_layer.adaLN_modulation.1.\(kind)").map(Self.halvesSwapped)
    }
    guard parts.count >= 4 else { return nil }
    let inside = parts[2..<parts.count - 1].joined(separator: ".")
    switch parts[0] {
    case "transformer_blocks": return try double("double_blocks.\(parts[1])", inside, kind)
    case "single_transformer_blocks": return try single("single_blocks.\(parts[1])", inside, kind)
    default: return nil
    }
  }

  private static let outside = [
    "x_embedder": "img_in", "context_embedder": "txt_in", "proj_out": "final_layer.linear",
    "time_text_embed.timestep_embedder.linear_1": "time_in.in_layer",
    "time_text_embed.timestep_embedder.linear_2": "time_in.out_layer",
    "time_text_embed.guidance_embedder.linear_1": "guidance_in.in_layer",
    "time_text_embed.guidance_embedder.linear_2": "guidance_in.out_layer",
    "time_text_embed.text_embedder.linear_1": "vector_in.in_layer",
    "time_text_embed.text_embedder.linear_2": "vector_in.out_layer",
  ]

  private static let insideDouble = [
    "norm1.linear": "img_mod.lin", "norm1_context.linear": "txt_mod.lin", "attn.to_out.0": "img_attn.proj",
    "attn.to_add_out": "txt_attn.proj", "ff.net.0.proj": "img_mlp.0", "ff.net.2": "img_mlp.2",
    "ff_context.net.0.proj": "txt_mlp.0", "ff_context.net.2": "txt_mlp.2",
  ]

  /// q, k and v lie below one another.
  private static let joined = [
    "attn.to_q": ("img_attn.qkv", 0), "attn.to_k": ("img_attn.qkv", 1), "attn.to_v": ("img_attn.qkv", 2),
    "attn.add_q_proj": ("txt_attn.qkv", 0), "attn.add_k_proj": ("txt_attn.qkv", 1),
    "attn.add_v_proj": ("txt_attn.qkv", 2),
  ]

  /// The norms of q and k, whose weight is called scale.
  private static let norms = [
    "attn.norm_q": "img_attn.norm.query_norm", "attn.norm_k": "img_attn.norm.key_norm",
    "attn.norm_added_q": "txt_attn.norm.query_norm", "attn.norm_added_k": "txt_attn.norm.key_norm",
  ]

  private func double(_ block: String, _ module: String, _ kind: String) throws -> StoredTensor? {
    if let original = Self.insideDouble[module] { return try stored("\(block).\(original).\(kind)") }
    if let (original, part) = Self.joined[module] {
      return try stored("\(block).\(original).\(kind)")?.rows(part * width..<(part + 1) * width)
    }
    return try Self.norms[module].flatMap { try stored("\(block).\($0).scale") }
  }

  private func single(_ block: String, _ module: String, _ kind: String) throws -> StoredTensor? {
    switch module {
    case "norm.linear": return try stored("\(block).modulation.lin.\(kind)")
    case "proj_out": return try stored("\(block).linear2.\(kind)")
    case "attn.norm_q": return try stored("\(block).norm.query_norm.scale")
    case "attn.norm_k": return try stored("\(block).norm.key_norm.scale")
    case "attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp":
      guard let joined = try stored("\(block).linear1.\(kind)"), let rows = joined.shape.first else { return nil }
      switch module {
      case "attn.to_q": return try joined.rows(0..<width)
      case "attn.to_k": return try joined.rows(width..<2 * width)
      case "attn.to_v": return try joined.rows(2 * width..<3 * width)
      default: return try joined.rows(min(rows, 3 * width)..<rows)
      }
    default: return nil
    }
  }

  private func stored(_ name: String) throws -> StoredTensor? { try source.parameter(prefix + name) }

  /// [shift, scale] → [scale, shift], in memory: it is one small matrix.
  private static func halvesSwapped(_ stored: StoredTensor) throws -> StoredTensor {
    guard let rows = stored.shape.first, rows % 2 == 0 else { return stored }
    var bytes: [UInt8] = []
    for half in [rows / 2..<rows, 0..<rows / 2] {
      try stored.rows(half).withBytes { bytes.append(contentsOf: $0) }
    }
    return try StoredTensor(name: stored.name, dtype: stored.dtype, shape: stored.shape, bytes: bytes)
  }
}
