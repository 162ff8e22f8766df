import CKernels

/// The weights of a linear map, `[outputs, inputs]`, in the form in which they are multiplied fastest.
public struct WeightMatrix: Sendable {
  public let outputs: Int
  public let inputs: Int
  private let form: Form

  enum Form: Sendable {
    /// Matrices below one another, each used where it stands: in the mapped file, or widened.
    case float32([Float32Rows])
    case bfloat16(PackedBFloat16)
    case int8(PackedInt8)
    case streamed(StreamedBFloat16)
  }

  /// Joins matrices of equal width below one another: the projections to q, k and v become one product.
  public init(joining parts: [StoredTensor], precision: Precision) throws {
    let width = parts[0].shape[1]
    precondition(parts.allSatisfy { $0.shape.count == 2 && $0.shape[1] == width }, "matrices of different widths")
    inputs = width
    outputs = parts.reduce(0) { $0 + $1.shape[0] }
    switch precision {
    case .float32: form = .float32(try parts.map { try Float32Rows($0) })
    case .bfloat16: form = .bfloat16(try PackedBFloat16(joining: parts))
    case .int8: form = .int8(try PackedInt8(joining: parts))
    }
  }

  /// A matrix that was packed before.
  init(packed form: Form, outputs: Int, inputs: Int) {
    (self.form, self.outputs, self.inputs) = (form, outputs, inputs)
  }

  /// A matrix that stays in its file, whatever the precision: for maps that are used once in many steps.
  init(streaming stored: StoredTensor, precision: Precision) throws {
    precondition(stored.shape.count == 2, "no matrix")
    (outputs, inputs) = (stored.shape[0], stored.shape[1])
    switch precision {
    case .float32: form = .float32([try Float32Rows(stored)])
    case .bfloat16, .int8: form = .streamed(try StreamedBFloat16(stored))
    }
  }

  /// The bytes that this form occupies in memory or in the page cache.
  public var byteCount: Int {
    switch form {
    case .float32: outputs * inputs * MemoryLayout<Float>.stride
    case .bfloat16(let packed): packed.byteCount
    case .int8(let packed): packed.byteCount
    case .streamed: 0
    }
  }

  /// The packed matrix, if its products can go on as they are into those with another one.
  var chained: PackedBFloat16? {
    if case .bfloat16(let packed) = form, PackedBFloat16.givesNarrowRows { packed } else { nil }
  }

  /// What of it lies in files and is read from there by every product, once it is not in the page cache any more.
  public var mapped: [StoredTensor] {
    switch form {
    case .float32(let parts): parts.compactMap(\.mapped)
    case .bfloat16(let packed): packed.mapped.map { [$0] } ?? []
    case .int8(let packed): packed.mapped.map { [$0] } ?? []
    case .streamed: []
    }
  }

  /// With more rows than so many a row may have other last bits, since sums are made in another order then; nil where it
  /// never has.
  public var mostRowsAlike: Int? {
    switch form {
    case .float32: Float32Rows.fewRows
    case .bfloat16, .int8, .streamed: nil
    }
  }

  /// result[firstRow + r][firstColumn...] = activation(x[rows][r] · weightsᵀ + bias) for every row r of a range of x.
  ///
  /// - Parameter epilogue: what is to be done with the product; not every one does it.
  func multiply(
    _ x: Tensor, rows: Range<Int>, bias: Tensor?, activation: Activation, into result: inout Tensor, firstRow: Int,
    firstColumn: Int, epilogue: (any ProductEpilogue)?
  ) {
    precondition(x.columns == inputs, "\(x.shape) cannot be multiplied by a matrix of \(inputs) inputs")
    precondition(rows.lowerBound >= 0 && rows.upperBound <= x.rows, "\(x.shape) has no rows \(rows)")
    precondition(firstRow >= 0 && firstRow + rows.count <= result.rows, "no room in \(result.shape)")
    precondition(firstColumn >= 0 && firstColumn + outputs <= result.columns, "no room in \(result.shape)")
    let stride = result.columns
    guard !rows.isEmpty else { return }
    x.withUnsafeElements { x in
      result.withUnsafeMutableElements { result in
        Tensor.withElements(bias, nil) { bias, _ in
          let x = x.baseAddress! + rows.lowerBound * inputs
          let c = result.baseAddress! + firstRow * stride + firstColumn
          switch form {
          case .float32(let parts):
            var column = 0
            for part in parts {
              part.multiply(
                x, rows: rows.count, inputs: inputs, bias: bias.map { $0 + column }, activation: activation,
                into: c + column, stride: stride, epilogue: parts.count == 1 ? epilogue : nil)
              column += part.count
            }
          case .bfloat16(let packed):
            packed.multiply(
              x, rows: rows.count, bias: bias, activation: activation, into: c, stride: stride, epilogue: epilogue)
          case .int8(let packed):
            packed.multiply(
              x, rows: rows.count, bias: bias, activation: activation, into: c, stride: stride, epilogue: epilogue)
          case .streamed(let streamed):
            streamed.multiply(x, rows: rows.count, bias: bias, activation: activation, into: c, stride: stride)
          }
        }
      }
    }
  }
}
