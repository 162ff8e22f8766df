import Tensors
import Transformers

/// The parameters of a transformer that was never trained, for its time alone; names and shapes as diffusers has them.
struct RandomParameters: ParameterSource {
  let path = "random weights"
  private let shapes: [String: [Int]]
  /// Tensors are cut from these numbers, so that large models take little time to make.
  private let pool: StoredTensor
  /// But maps of adaLN that stay where they are stored have numbers of their own, or else a cache would have all of them.
  private let suffixOfOwnNumbers: String?

  private init(_ names: ParameterNames, ownNumbersOf suffixOfOwnNumbers: String? = nil) throws {
    shapes = names.shapes
    self.suffixOfOwnNumbers = suffixOfOwnNumbers
    let count = shapes.values.map { $0.reduce(1, *) }.max() ?? 1
    pool = try RandomValues.stored(count, 1, .bfloat16).reshaped([count])
  }

  func parameter(_ name: String) throws -> StoredTensor? {
    guard let shape = shapes[name] else { return nil }
    if let suffixOfOwnNumbers, name.hasSuffix(suffixOfOwnNumbers) {
      return try RandomValues.stored(shape[0], shape[1], .bfloat16)
    }
    return try pool.rows(0..<shape.reduce(1, *)).reshaped(shape)
  }

  init(_ flux: FluxConfiguration) throws {
    let (width, headWidth) = (flux.width, flux.headWidth)
    var names = ParameterNames()
    for (name, inputs) in [("timestep", 256), ("guidance", 256), ("text", flux.pooledWidth)] {
      names.embedder("time_text_embed.\(name)_embedder", inputs, width)
    }
    names.linear("x_embedder", width, flux.inputChannels)
    names.linear("context_embedder", width, flux.textWidth)
    names.blocks(
      double: flux.doubleBlocks, single: flux.singleBlocks, width: width, headWidth: headWidth, mlpWidth: 4 * width)
    names.linear("norm_out.linear", 2 * width, width)
    names.linear("proj_out", flux.outputChannels, width)
    try self.init(names)
  }

  init(_ hunyuan: HunyuanVideoConfiguration) throws {
    let width = hunyuan.width
    var names = ParameterNames()
    for (name, inputs) in [("timestep", 256), ("guidance", 256), ("text", hunyuan.pooledWidth)] {
      names.embedder("time_text_embed.\(name)_embedder", inputs, width)
    }
    let patch = hunyuan.patchSize
    names.shapes["x_embedder.proj.weight"] = [width, hunyuan.inputChannels, 1, patch, patch]
    names.shapes["x_embedder.proj.bias"] = [width]
    names.embedder("context_embedder.time_text_embed.timestep_embedder", 256, width)
    names.embedder("context_embedder.time_text_embed.text_embedder", hunyuan.textWidth, width)
    names.linear("context_embedder.proj_in", width, hunyuan.textWidth)
    for index in 0..<hunyuan.refinerBlocks {
      let block = "context_embedder.token_refiner.refiner_blocks.\(index)"
      for norm in ["norm1", "norm2"] {
        for part in ["weight", "bias"] { names.shapes["\(block).\(norm).\(part)"] = [width] }
      }
      for map in ["to_q", "to_k", "to_v", "to_out.0"] { names.linear("\(block).attn.\(map)", width, width) }
      names.mlp("\(block).ff", width, hunyuan.mlpWidth)
      names.linear("\(block).norm_out.linear", 2 * width, width)
    }
    names.blocks(
      double: hunyuan.doubleBlocks, single: hunyuan.singleBlocks, width: width, headWidth: hunyuan.headWidth,
      mlpWidth: hunyuan.mlpWidth)
    names.linear("norm_out.linear", 2 * width, width)
    names.linear("proj_out", hunyuan.tokenChannels.output, width)
    try self.init(names)
  }

  init(_ dit: DiTConfiguration) throws {
    let (width, patch) = (dit.width, dit.patchSize)
    var names = ParameterNames()
    names.shapes["pos_embed.proj.weight"] = [width, dit.inputChannels, patch, patch]
    names.shapes["pos_embed.proj.bias"] = [width]
    for index in 0..<dit.blockCount {
      let block = "transformer_blocks.\(index)"
      names.embedder("\(block).norm1.emb.timestep_embedder", 256, width)
      names.shapes["\(block).norm1.emb.class_embedder.embedding_table.weight"] = [dit.classes + 1, width]
      names.linear("\(block).norm1.linear", 6 * width, width)
      for map in ["to_q", "to_k", "to_v", "to_out.0"] { names.linear("\(block).attn1.\(map)", width, width) }
      names.mlp("\(block).ff", width, 4 * width)
    }
    names.linear("proj_out_1", 2 * width, width)
    names.linear("proj_out_2", patch * patch * dit.outputChannels, width)
    try self.init(names, ownNumbersOf: "norm1.linear.weight")
  }
}

private struct ParameterNames {
  var shapes: [String: [Int]] = [:]

  mutating func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
    shapes["\(name).weight"] = [outputs, inputs]
    shapes["\(name).bias"] = [outputs]
  }

  mutating func embedder(_ name: String, _ inputs: Int, _ width: Int) {
    linear("\(name).linear_1", width, inputs)
    linear("\(name).linear_2", width, width)
  }

  mutating func mlp(_ name: String, _ width: Int, _ inner: Int) {
    linear("\(name).net.0.proj", inner, width)
    linear("\(name).net.2", width, inner)
  }

  /// Double and single blocks, as FLUX and HunyuanVideo call them.
  mutating func blocks(double: Int, single: Int, width: Int, headWidth: Int, mlpWidth: Int) {
    for index in 0..<double {
      let block = "transformer_blocks.\(index)"
      for norm in ["norm1", "norm1_context"] { linear("\(block).\(norm).linear", 6 * width, width) }
      for map in ["to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj", "to_out.0", "to_add_out"] {
        linear("\(block).attn.\(map)", width, width)
      }
      for norm in ["norm_q", "norm_k", "norm_added_q", "norm_added_k"] {
        shapes["\(block).attn.\(norm).weight"] = [headWidth]
      }
      for name in ["ff", "ff_context"] { mlp("\(block).\(name)", width, mlpWidth) }
    }
    for index in 0..<single {
      let block = "single_transformer_blocks.\(index)"
      linear("\(block).norm.linear", 3 * width, width)
      for map in ["to_q", "to_k", "to_v"] { linear("\(block).attn.\(map)", width, width) }
      for norm in ["norm_q", "norm_k"] { shapes["\(block).attn.\(norm).weight"] = [headWidth] }
      linear("\(block).proj_mlp", mlpWidth, width)
      linear("\(block).proj_out", width, width + mlpWidth)
    }
  }
}
