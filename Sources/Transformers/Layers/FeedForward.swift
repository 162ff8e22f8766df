import Tensors

/// Linear, activation, linear: the MLP of the blocks.
struct FeedForward: Sendable {
  private let up: Linear
  private let down: Linear
  private let activation: Activation

  /// - Parameter inner: the width between the two maps; four times the width unless given.
  init(_ parameters: Parameters, width: Int, inner: Int? = nil, activation: Activation = .geluTanh) throws {
    let inner = inner ?? 4 * width
    up = try Linear(parameters.module("net.0.proj"), inputs: width, outputs: inner)
    down = try Linear(parameters.module("net.2"), inputs: inner, outputs: width)
    self.activation = activation
  }

  /// `[tokens, width]` → `[tokens, width]`
  ///
  /// - Parameter epilogue: what is to be done with the result; not every product does it.
  func callAsFunction(_ x: Tensor, epilogue: (any ProductEpilogue)? = nil) -> Tensor {
    up(x, activation: activation, then: down, epilogue: epilogue)
  }

  /// Beyond so many rows at once the bits of a row may be others; nil where they never are.
  var mostRowsAlike: Int? { matrices.compactMap(\.mostRowsAlike).min() }

  var matrices: [WeightMatrix] { [up.weight, down.weight] }

  var weightBytes: Int { up.weightBytes + down.weightBytes }
}
