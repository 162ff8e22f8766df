import Glibc
import Tensors

/// Numbers as vectors of cosines and sines (diffusers: `get_timestep_embedding` with `flip_sin_to_cos`).
public enum Sinusoid {
  /// `[2 · half]`: cos(value · fᵢ), then sin(value · fᵢ), with fᵢ = 10000^(−i / (half − shift)).
  ///
  /// Formed in float32 as the models were trained: in double precision it differs by up to 4·10⁻⁴ at large values, and
  /// so it does where a frequency's last bit is another.
  public static func embedding(_ value: Float, width: Int = 256, shift: Float = 0) -> Tensor {
    let half = width / 2
    var embedding = Tensor(zeros: [width])
    for index in 0..<half {
      let exponent = Float(-9.210340371976184) * Float(index) / (Float(half) - shift)
      let angle = value * TableExponential.exp(exponent)
      embedding[index] = cosf(angle)
      embedding[half + index] = sinf(angle)
    }
    return embedding
  }
}

/// Two linear maps with SiLU between them, which bring a vector to the width of the model: `linear_1`, `linear_2`.
struct VectorEmbedder: Sendable {
  private let first: Linear
  private let second: Linear

  init(_ parameters: Parameters, inputs: Int, width: Int) throws {
    first = try Linear(parameters.module("linear_1"), inputs: inputs, outputs: width)
    second = try Linear(parameters.module("linear_2"), inputs: width, outputs: width)
  }

  /// `[inputs]` → `[1, width]`
  func callAsFunction(_ vector: Tensor) -> Tensor {
    second(first(vector.reshaped([1, vector.count]), activation: .silu))
  }

  var weightBytes: Int { first.weightBytes + second.weightBytes }
}
