import Files
import Tensors

/// DiT as its authors publish it (`DiT-XL-2-256x256.pt`), under the names that diffusers has for its tensors: queries, keys
/// and values apart, and the embedder of time and class in every block.
public enum DiTOriginalNames {
  /// - Parameter path: the file, for messages.
  /// - Throws: `FileError` for tensors that no DiT has, or if there are no blocks.
  public static func converted(_ tensors: [StoredTensor], path: String) throws -> [StoredTensor] {
    let blocks = Set(tensors.compactMap { block(of: $0.name)?.index })
    guard !blocks.isEmpty else { throw FileError(path: path, reason: "is no DiT: it has no tensors blocks.0.…") }
    return try tensors.flatMap { tensor -> [StoredTensor] in
      // The positions are a formula.
      if tensor.name == "pos_embed" { return [] }
      if let name = renamed(tensor.name, outer) { return [try tensor.renamed(name)] }
      if let name = renamed(tensor.name, embedder) {
        return try blocks.sorted().map { try tensor.renamed("transformer_blocks.\($0).norm1.emb.\(name)") }
      }
      guard let (index, part) = block(of: tensor.name) else { throw unknown(tensor, path) }
      if let name = renamed(part, inner) { return [try tensor.renamed("transformer_blocks.\(index).\(name)")] }
      guard part == "attn.qkv.weight" || part == "attn.qkv.bias", let rows = tensor.shape.first, rows % 3 == 0 else {
        throw unknown(tensor, path)
      }
      return try ["to_q", "to_k", "to_v"].enumerated().map { place, name in
        try tensor.rows(place * rows / 3..<(place + 1) * rows / 3)
          .renamed("transformer_blocks.\(index).attn1.\(name).\(part.dropFirst("attn.qkv.".count))")
      }
    }
  }

  private static let outer = [
    ("x_embedder.proj.", "pos_embed.proj."), ("final_layer.adaLN_modulation.1.", "proj_out_1."),
    ("final_layer.linear.", "proj_out_2."),
  ]
  private static let embedder = [
    ("t_embedder.mlp.0.", "timestep_embedder.linear_1."), ("t_embedder.mlp.2.", "timestep_embedder.linear_2."),
    ("y_embedder.embedding_table.", "class_embedder.embedding_table."),
  ]
  private static let inner = [
    ("adaLN_modulation.1.", "norm1.linear."), ("attn.proj.", "attn1.to_out.0."), ("mlp.fc1.", "ff.net.0.proj."),
    ("mlp.fc2.", "ff.net.2."),
  ]

  private static func renamed(_ name: String, _ table: [(String, String)]) -> String? {
    guard let (old, new) = table.first(where: { name.hasPrefix($0.0) }) else { return nil }
    return new + name.dropFirst(old.count)
  }

  /// `blocks.7.mlp.fc1.bias` → 7, `mlp.fc1.bias`
  private static func block(of name: String) -> (index: Int, part: String)? {
    let parts = name.split(separator: ".", maxSplits: 2, omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0] == "blocks", let index = Int(parts[1]), (0..<1000).contains(index) else {
      return nil
    }
    return (index, String(parts[2]))
  }

  private static func unknown(_ tensor: StoredTensor, _ path: String) -> FileError {
    FileError(path: path, reason: "is no DiT: it has the tensor \(tensor.name.printable(limit: 80))")
  }
}
