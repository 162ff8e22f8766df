import Tensors

/// Finds an autoencoder's parameters, asked for by diffusers' names of today, under two others as well: those that
/// diffusers gave the attention before (`query`, `proj_attn`), and those of Black Forest Labs' and Stability's own files
/// (`ae.safetensors`: `decoder.mid.block_1`, `decoder.up.3`).
struct AutoencoderKLNames: ParameterSource {
  private let source: any ParameterSource
  private let older: [(String, String)]
  private let original: [(String, String)]

  var path: String { source.path }

  /// - Parameter blocks: the number of resolutions: the original files count them from the finest, diffusers from the
  ///   coarsest.
  init(_ source: any ParameterSource, blocks: Int) {
    self.source = source
    older = [("to_q", "query"), ("to_k", "key"), ("to_v", "value"), ("to_out.0", "proj_attn")].map {
      ("attentions.0.\($0)", "attentions.0.\($1)")
    }
    original =
      (0..<blocks).flatMap { block in
        let up = "decoder.up.\(blocks - 1 - block)"
        return [
          ("decoder.up_blocks.\(block).resnets.", "\(up).block."),
          ("decoder.up_blocks.\(block).upsamplers.0.conv", "\(up).upsample.conv"),
        ]
      } + [
        ("decoder.mid_block.resnets.0", "decoder.mid.block_1"), ("decoder.mid_block.resnets.1", "decoder.mid.block_2"),
        ("decoder.mid_block.attentions.0.group_norm", "decoder.mid.attn_1.norm"),
        ("decoder.mid_block.attentions.0.to_out.0", "decoder.mid.attn_1.proj_out"),
        ("decoder.mid_block.attentions.0.to_", "decoder.mid.attn_1."), ("conv_shortcut", "nin_shortcut"),
        ("conv_norm_out", "norm_out"),
      ]
  }

  func parameter(_ name: String) throws -> StoredTensor? {
    if let stored = try source.parameter(name) { return stored }
    for table in [older, original] {
      let other = table.reduce(name) { name, pair in name.replacing(pair.0, with: pair.1) }
      if other != name, let stored = try source.parameter(other) { return stored }
    }
    return nil
  }
}
