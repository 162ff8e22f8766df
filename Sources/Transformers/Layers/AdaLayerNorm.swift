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
  private let identity = Identity()

  /// Tells the maps of a model apart; copies of one are the same.
  final class Identity: Sendable {}

  var id: ObjectIdentifier { ObjectIdentifier(identity) }
  /// The numbers that it gives for a vector.
  var outputs: Int { linear.outputs }

  /// - Parameters:
  ///   - name: that of the map in the checkpoint.
  ///   - parts: vectors that it gives: 3 for each branch.
  package init(_ parameters: Parameters, named name: String = "linear", inputs: Int, width: Int, parts: Int) throws {
    linear = try Linear(streaming: parameters.module(name), inputs: inputs, outputs: parts * width)
    self.parts = parts
  }

  /// `[vectors, inputs]`, SiLU applied already → `[vectors, outputs]`, each with the bits that it has alone.
  func callAsFunction(_ vectors: Tensor) -> Tensor {
    guard let most = linear.weight.mostRowsAlike, vectors.rows > most else { return linear(vectors) }
    return Tensor.concatenated(
      rows: stride(from: 0, to: vectors.rows, by: most).map { linear(vectors, rows: $0..<min(vectors.rows, $0 + most)) }
    )
  }

  /// `parts` vectors `[width]` in the order of the map's outputs.
  package func vectors(_ vec: ModulationVector) -> [Tensor] { vec.modulated[id] ?? vectors(self(vec.vector), row: 0) }

  /// Those of a row of outputs.
  func vectors(_ outputs: Tensor, row: Int) -> [Tensor] {
    let width = outputs.columns / parts
    let vectors = outputs.reshaped([outputs.rows * parts, width])
    return (row * parts..<(row + 1) * parts).map { vectors.rows($0..<$0 + 1).reshaped([width]) }
  }

  /// Shift, scale, gate of each branch, one after the other (diffusers: `AdaLayerNormZero`).
  package func branches(_ vec: ModulationVector) -> [BranchModulation] {
    let vectors = vectors(vec)
    return stride(from: 0, to: parts, by: 3).map { first in
      BranchModulation(
        input: Modulation(shift: vectors[first], scale: vectors[first + 1]), gate: vectors[first + 2])
    }
  }

  var weightBytes: Int { linear.weightBytes }
}
