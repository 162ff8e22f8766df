import Tensors

/// Measures how fast this process computes, for the coordinator's first plan; later ones go by the steps themselves.
public enum SpeedProbe {
  private static let rows = 256
  private static let width = 1024
  private static let microseconds: Int64 = 60_000

  /// Floating-point operations a second of products with the threads that there are; takes about a tenth of a second.
  ///
  /// - Throws: never in practice; what is computed with is a tensor as it is loaded from files.
  public static func operationsPerSecond() throws -> Double {
    let key = RandomKey(seed: 1, purpose: .numerics)
    let stored = try StoredTensor(
      name: "weight", shape: [width, width], values: key.uniforms(0..<width * width))
    let linear = Linear(weight: try WeightMatrix(joining: [stored], precision: .float32), bias: nil)
    let x = Tensor(key.uniforms(0..<rows * width), shape: [rows, width])
    _ = linear(x)
    var best = 0.0
    let start = Clock.microseconds
    repeat {
      let begun = Clock.microseconds
      _ = linear(x)
      let taken = max(1, Clock.microseconds - begun)
      best = max(best, Double(2 * rows * width * width) / (Double(taken) / 1e6))
    } while Clock.microseconds - start < microseconds
    return best
  }
}
