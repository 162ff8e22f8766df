import Conditioning
import Tensors
import Transformers

/// Timesteps, places and activations.
enum EmbeddingOperations {
  static func run(_ comparison: GoldenComparison) throws {
    try timesteps(comparison)
    try rotary(comparison)
    try activations(comparison)
    for name in comparison.recorded.names {
      if let numbers = GoldenComparison.numbers(in: name, ["sincos2d", "dim", "grid"]), numbers.count == 2 {
        let side = numbers[1]
        comparison.check(name, SinusoidalPositions.embedding(rows: side, columns: side, width: numbers[0]))
      }
      if let numbers = GoldenComparison.numbers(in: name, ["t5", "buckets_", "row"]), numbers.count == 2 {
        let buckets = RelativePositionBuckets(count: 32, maximumDistance: 128)
        let row = (0..<numbers[0]).map { Int64(buckets.bucket(ofOffset: $0 - numbers[1])) }
        comparison.check(name, integers: row)
      }
    }
  }

  private static func timesteps(_ comparison: GoldenComparison) throws {
    for (row, timestep) in try comparison.input("temb.t").elements.enumerated() {
      for shift in [0, 1] {
        let embedding = Sinusoid.embedding(timestep, width: 256, shift: Float(shift))
        comparison.check("temb.256.flip.shift\(shift)", embedding, row: row)
      }
    }
  }

  /// The positions of all rotary operations.
  private static let positions: [Float] = [0, 1, 2, 7, 63]

  private static func rotary(_ comparison: GoldenComparison) throws {
    for (width, theta, inFloat64) in [(10, 10000, true), (12, 256, false)] {
      let rope = RotaryEmbedding(
        positions: positions.map { [$0] }, axes: [width], theta: Double(theta), frequenciesInFloat64: inFloat64)
      // diffusers keeps every angle twice, once for each number of a pair.
      func twice(_ x: Tensor) -> Tensor { Tensor(x.elements.flatMap { [$0, $0] }, shape: [positions.count, width]) }
      comparison.check("rope1d.dim\(width).theta\(theta).cos", twice(rope.cosine))
      comparison.check("rope1d.dim\(width).theta\(theta).sin", twice(rope.sine))
    }
    let recorded = try comparison.input("rope.apply.x", row: 0)  // [tokens, heads, width]
    let (tokens, heads, width) = (recorded.shape[0], recorded.shape[1], recorded.shape[2])
    var x = recorded.reshaped([tokens, heads * width])
    RotaryEmbedding(positions: positions.map { [$0] }, axes: [width], theta: 10000)
      .apply(to: &x, firstColumn: 0, heads: heads)
    comparison.check("rope.apply.out", x)
  }

  private static func activations(_ comparison: GoldenComparison) throws {
    let x = try comparison.input("act.x")
    for (name, activation) in [
      ("gelu_tanh", Activation.geluTanh), ("gelu_new", .geluTanh), ("gelu_erf", .geluErf), ("silu", .silu),
      ("quick_gelu", .quickGELU),
    ] {
      comparison.check("act.\(name)", x.applying(activation))
    }
  }
}
