import Tensors
import Transformers

/// The parameters of a FLUX transformer that was never trained, for its time alone.
struct RandomFlux: ParameterSource {
  let path = "random weights"
  private let shapes: [String: [Int]]
  /// All tensors are cut from these numbers, so that large models take little time to make.
  private let pool: StoredTensor

  init(_ configuration: FluxConfiguration) throws {
    shapes = Self.shapes(configuration)
    let count = shapes.values.map { $0.reduce(1, *) }.max() ?? 1
    pool = try RandomValues.stored(count, 1, .bfloat16).reshaped([count])
  }

  func parameter(_ name: String) throws -> StoredTensor? {
    guard let shape = shapes[name] else { return nil }
    return try pool.rows(0..<shape.reduce(1, *)).reshaped(shape)
  }

  /// Names and shapes as diffusers has them.
  private static func shapes(_ flux: FluxConfiguration) -> [String: [Int]] {
    var shapes: [String: [Int]] = [:]
    func linear(_ name: String, _ outputs: Int, _ inputs: Int) {
      shapes["\(name).weight"] = [outputs, inputs]
      shapes["\(name).bias"] = [outputs]
    }
    let width = flux.width
    func embedder(_ name: String, _ inputs: Int) {
      linear("time_text_embed.\(name).linear_1", width, inputs)
      linear("time_text_embed.\(name).linear_2", width, width)
    }
    embedder("timestep_embedder", 256)
    embedder("guidance_embedder", 256)
    embedder("text_embedder", flux.pooledWidth)
    linear("x_embedder", width, flux.inputChannels)
    linear("context_embedder", width, flux.textWidth)
    for index in 0..<flux.doubleBlocks {
      let block = "transformer_blocks.\(index)"
      for norm in ["norm1", "norm1_context"] { linear("\(block).\(norm).linear", 6 * width, width) }
      for map in ["to_q", "to_k", "to_v", "add_q_proj", "add_k_proj", "add_v_proj", "to_out.0", "to_add_out"] {
        linear("\(block).attn.\(map)", width, width)
      }
      for norm in ["norm_q", "norm_k", "norm_added_q", "norm_added_k"] {
        shapes["\(block).attn.\(norm).weight"] = [flux.headWidth]
      }
      for mlp in ["ff", "ff_context"] {
        linear("\(block).\(mlp).net.0.proj", 4 * width, width)
        linear("\(block).\(mlp).net.2", width, 4 * width)
      }
    }
    for index in 0..<flux.singleBlocks {
      let block = "single_transformer_blocks.\(index)"
      linear("\(block).norm.linear", 3 * width, width)
      for map in ["to_q", "to_k", "to_v"] { linear("\(block).attn.\(map)", width, width) }
      for norm in ["norm_q", "norm_k"] { shapes["\(block).attn.\(norm).weight"] = [flux.headWidth] }
      linear("\(block).proj_mlp", 4 * width, width)
      linear("\(block).proj_out", width, 5 * width)
    }
    linear("norm_out.linear", 2 * width, width)
    linear("proj_out", flux.outputChannels, width)
    return shapes
  }
}
