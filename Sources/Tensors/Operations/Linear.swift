/// y = x · Wᵀ + b, with an activation function on request.
public struct Linear: Sendable {
  public let weight: WeightMatrix
  public let bias: Tensor?

  public var outputs: Int { weight.outputs }
  public var inputs: Int { weight.inputs }
  /// The bytes that the weights occupy in memory or in the page cache.
  public var weightBytes: Int { weight.byteCount + (bias?.byteCount ?? 0) }

  /// Reads `weight` `[outputs, inputs]` and, unless told otherwise, `bias` `[outputs]`.
  public init(_ parameters: Parameters, inputs: Int, outputs: Int, bias: Bool = true) throws {
    try self.init(joining: [(parameters, outputs)], inputs: inputs, bias: bias)
  }

  /// Reads several maps of the same input and joins their outputs in this order.
  public init(joining parts: [(parameters: Parameters, outputs: Int)], inputs: Int, bias: Bool = true) throws {
    weight = try parts[0].parameters.weightMatrix(
      joining: parts.map { try $0.parameters.matrix("weight", rows: $0.outputs, columns: inputs) },
      named: parts.map { $0.parameters.prefix + "weight" })
    self.bias =
      bias
      ? try Tensor(
        parts.flatMap { try $0.parameters.tensor("bias", shape: [$0.outputs]).elements }, shape: [weight.outputs])
      : nil
  }

  /// A map that is used once in many steps: its weights stay in their file.
  public init(streaming parameters: Parameters, inputs: Int, outputs: Int) throws {
    self.init(
      weight: try WeightMatrix(
        streaming: parameters.matrix("weight", rows: outputs, columns: inputs), precision: parameters.precision),
      bias: try parameters.tensor("bias", shape: [outputs]))
  }

  public init(weight: WeightMatrix, bias: Tensor?) {
    self.weight = weight
    self.bias = bias
  }

  /// x: `[rows, inputs]` → `[rows, outputs]`, for all rows of x or a range of them.
  ///
  /// - Parameter epilogue: what is to be done with the result; not every product does it.
  public func callAsFunction(
    _ x: Tensor, rows: Range<Int>? = nil, activation: Activation = .identity, epilogue: (any ProductEpilogue)? = nil
  ) -> Tensor {
    let rows = rows ?? 0..<x.rows
    var y = Tensor(uninitialized: [rows.count, outputs])
    weight.multiply(
      x, rows: rows, bias: bias, activation: activation, into: &y, firstRow: 0, firstColumn: 0, epilogue: epilogue)
    return y
  }

  /// Writes the result into a part of a larger matrix.
  public func apply(
    _ x: Tensor, rows: Range<Int>? = nil, activation: Activation = .identity, to y: inout Tensor, firstRow: Int = 0,
    firstColumn: Int = 0
  ) {
    weight.multiply(
      x, rows: rows ?? 0..<x.rows, bias: bias, activation: activation, into: &y, firstRow: firstRow,
      firstColumn: firstColumn, epilogue: nil)
  }
}
