/// A matrix that a model needs in the form in which it is multiplied fastest in bfloat16 or in 8 bits.
public struct MatrixRequest: Sendable {
  /// The full names of the parameters that it joins, with a `+` in between.
  public let name: String
  let parts: [StoredTensor]
  let precision: Precision

  init(names: [String], parts: [StoredTensor], precision: Precision) {
    name = names.joined(separator: "+")
    self.parts = parts
    self.precision = precision
  }

  var outputs: Int { parts.reduce(0) { $0 + $1.shape[0] } }
  var inputs: Int { parts[0].shape[1] }

  /// What a file of packed matrices has of it.
  var outlines: [TensorOutline] {
    switch precision {
    case .float32: return []
    case .bfloat16:
      let shape = PackedBFloat16.panelShape(outputs: outputs, inputs: inputs)
      return [TensorOutline(name: name, dtype: .bfloat16, shape: shape)]
    case .int8:
      let shape = PackedInt8.panelShape(outputs: outputs, inputs: inputs)
      let columns = (outputs + PackedForm.panelWidth - 1) / PackedForm.panelWidth * PackedForm.panelWidth
      return [
        TensorOutline(name: name, dtype: .int8, shape: shape),
        TensorOutline(name: name + ".scales", dtype: .float32, shape: [columns]),
        TensorOutline(name: name + ".sums", dtype: .int32, shape: [columns]),
      ]
    }
  }
}

/// Where matrices are that were packed before.
public protocol PackedMatrices: Sendable {
  /// The matrix of a name; nil if it has to be packed now.
  ///
  /// - Throws: `FileError` for a matrix that is another one than is asked for.
  func matrix(_ request: MatrixRequest) throws -> WeightMatrix?
}
