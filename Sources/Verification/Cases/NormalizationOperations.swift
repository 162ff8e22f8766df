import Tensors
import Transformers

/// Layer and RMS norms, plain and modulated; `small.` has inputs so small that the epsilon decides.
enum NormalizationOperations {
  static func run(_ comparison: GoldenComparison) throws {
    let norm = LayerNorm(epsilon: 1e-6)
    for (input, prefix) in [("norm.x", ""), ("small.x", "small.")] {
      for row in 0..<(try comparison.batch(input)) {
        let x = try comparison.input(input, row: row)
        let embedding = try comparison.input("norm.emb", row: row)
        let (width, embedded) = (x.columns, embedding.columns)

        let continuous = try AdaLayerNorm(
          comparison.parameters("adaln_continuous"), inputs: embedded, width: width, parts: 2)
        let vectors = continuous.vectors(ModulationVector(silu(embedding)))  // scale first
        comparison.check(
          "\(prefix)adaln_continuous.out", norm(x, Modulation(shift: vectors[1], scale: vectors[0])), row: row)

        let ownEmbedding = ModulationVector(try silu(comparison.input("norm.emb30", row: row)))
        let zero = try AdaLayerNorm(comparison.parameters("adaln_zero"), inputs: width, width: width, parts: 6)
          .branches(ownEmbedding)
        let zeroOutputs = [
          norm(x, zero[0].input), zero[0].gate, zero[1].input.shift, zero[1].input.scale, zero[1].gate,
        ]
        for (index, output) in zeroOutputs.enumerated() {
          comparison.check("\(prefix)adaln_zero.out.\(index)", output, row: row)
        }
        let single = try AdaLayerNorm(comparison.parameters("adaln_zero_single"), inputs: width, width: width, parts: 3)
          .branches(ownEmbedding)
        for (index, output) in [norm(x, single[0].input), single[0].gate].enumerated() {
          comparison.check("\(prefix)adaln_zero_single.out.\(index)", output, row: row)
        }
      }
    }
    let small = try comparison.input("small.x")
    comparison.check("small.layernorm_eps1e-5", LayerNorm(epsilon: 1e-5)(small))
    comparison.check("small.layernorm_eps1e-6", LayerNorm(epsilon: 1e-6)(small))

    // Recorded with inputs of a hundredth.
    let x = try comparison.input("norm.x")
    let hundredth = Tensor(x.elements.map { $0 * 0.01 }, shape: x.shape)
    for operation in ["rmsnorm_torch", "rmsnorm_diffusers", "t5_layernorm"] {
      let norm = try RMSNorm(comparison.parameters(operation), columns: x.columns, epsilon: 1e-6)
      comparison.check("\(operation).out", norm(hundredth))
    }
  }

  private static func silu(_ vector: Tensor) -> Tensor {
    vector.reshaped([1, vector.count]).applying(.silu)
  }
}
