import Tensors

/// Shift, scale and gate for one residual branch.
package struct BranchModulation {
  /// What the branch's input is normalized with.
  package var input: Modulation
  /// The factor of the branch's output, `[width]`.
  package var gate: Tensor
}

/// The linear map of adaLN: from the conditioning vector to shifts, scales and gates.
package struct AdaLayerNorm: Sendable {
  private let linear: Linear
  private let parts: Int

  /// - Parameter parts: vectors that it gives: 3 for each branch.
  package init(_ parameters: Parameters, inputs: Int, width: Int, parts: Int) throws {
    linear = try Linear(parameters.module("linear"), inputs: inputs, outputs: parts * width)
    self.parts = parts
  }

  /// `parts` vectors `[width]` in the order of the map's outputs. vector: `[1, inputs]`, SiLU applied already.
  package func vectors(_ vector: Tensor) -> [Tensor] {
    let all = linear(vector)
    let width = all.columns / parts
    let rows = all.reshaped([parts, width])
    return (0..<parts).map { rows.rows($0..<$0 + 1).reshaped([width]) }
  }

  /// Shift, scale, gate of each branch, one after the other (diffusers: `AdaLayerNormZero`).
  package func branches(_ vector: Tensor) -> [BranchModulation] {
    let vectors = vectors(vector)
    return stride(from: 0, to: parts, by: 3).map { first in
      BranchModulation(
        input: Modulation(shift: vectors[first], scale: vectors[first + 1]), gate: vectors[first + 2])
    }
  }

  var weightBytes: Int { linear.weightBytes }
}
