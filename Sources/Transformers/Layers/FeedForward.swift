import Tensors

/// Linear, GELU (tanh), linear: the MLP of the blocks, four times as wide inside.
struct FeedForward: Sendable {
  private let up: Linear
  private let down: Linear

  init(_ parameters: Parameters, width: Int) throws {
    up = try Linear(parameters.module("net.0.proj"), inputs: width, outputs: 4 * width)
    down = try Linear(parameters.module("net.2"), inputs: 4 * width, outputs: width)
  }

  /// `[tokens, width]` → `[tokens, width]`
  func callAsFunction(_ x: Tensor) -> Tensor { down(up(x, activation: .geluTanh)) }

  var weightBytes: Int { up.weightBytes + down.weightBytes }
}
