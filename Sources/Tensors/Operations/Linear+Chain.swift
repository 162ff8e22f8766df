extension Linear {
  /// Two maps one behind the other: `next([beside | activation(self(x))])`.
  ///
  /// Where both are in bfloat16, what is between them is as well, and takes half of the memory and none of the time that
  /// it would take to widen it and narrow it again. The numbers are the same either way.
  ///
  /// - Parameters:
  ///   - x: `[rows, inputs]`
  ///   - beside: `[rows, …]`, in front of what this map gives; nothing if nil
  ///   - epilogue: what is to be done with the result; not every product does it
  /// - Returns: `[rows, next.outputs]`
  public func callAsFunction(
    _ x: Tensor, activation: Activation, beside: Tensor? = nil, then next: Linear,
    epilogue: (any ProductEpilogue)? = nil
  ) -> Tensor {
    let before = beside?.columns ?? 0
    precondition(x.columns == inputs && before + outputs == next.inputs, "the maps do not fit")
    precondition(beside.map { $0.rows == x.rows } ?? true, "there are other rows beside")
    guard x.rows > 0, let first = weight.chained, let second = next.weight.chained else {
      guard let beside else { return next(self(x, activation: activation), epilogue: epilogue) }
      var inner = Tensor(uninitialized: [x.rows, next.inputs])
      inner.replace(columns: 0..<before, by: beside)
      apply(x, activation: activation, to: &inner, firstColumn: before)
      return next(inner, epilogue: epilogue)
    }
    let inner = NarrowRows(uninitializedRows: x.rows, columns: next.inputs)
    Tensor.withElements(beside, nil) { beside, _ in if let beside { inner.write(beside, columns: before) } }
    Tensor.withElements(x, bias) { x, bias in
      first.multiply(
        NarrowRows(x!, rows: inner.rows, columns: inputs), bias: bias, activation: activation, into: inner,
        firstColumn: before)
    }
    var y = Tensor(uninitialized: [x.rows, next.outputs])
    Tensor.withElements(next.bias, nil) { bias, _ in
      y.withUnsafeMutableElements { y in
        second.multiply(
          inner, bias: bias, activation: .identity, into: y.baseAddress!, stride: next.outputs, epilogue: epilogue)
      }
    }
    return y
  }
}
