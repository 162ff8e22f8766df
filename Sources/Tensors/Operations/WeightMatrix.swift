import CKernels

/// The weights of a linear map, `[outputs, inputs]`, in the form in which they are multiplied fastest.
public struct WeightMatrix: Sendable {
  public let outputs: Int
  public let inputs: Int
  private let form: Form

  private enum Form: Sendable {
    /// Matrices below one another, each used where it stands: in the mapped file, or widened.
    case float32([Float32Rows])
    case bfloat16(PackedBFloat16)
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
    }
  }

  /// The bytes that this form occupies in memory or in the page cache.
  public var byteCount: Int {
    switch form {
    case .float32: outputs * inputs * MemoryLayout<Float>.stride
    case .bfloat16(let packed): packed.byteCount
    }
  }

  /// result[firstRow + r] = activation(x[r] · weightsᵀ + bias) for every row r of x.
  func multiply(_ x: Tensor, bias: Tensor?, activation: Activation, into result: inout Tensor, firstRow: Int) {
    precondition(x.columns == inputs, "\(x.shape) cannot be multiplied by a matrix of \(inputs) inputs")
    precondition(result.columns == outputs && firstRow >= 0 && firstRow + x.rows <= result.rows, "no room")
    let rows = x.rows
    guard rows > 0 else { return }
    x.withUnsafeElements { x in
      result.withUnsafeMutableElements { result in
        Self.withOptionalElements(bias) { bias in
          let c = result.baseAddress! + firstRow * outputs
          switch form {
          case .float32(let parts):
            var column = 0
            for part in parts {
              part.multiply(
                x.baseAddress!, rows: rows, inputs: inputs, bias: bias.map { $0 + column },
                activation: activation, into: c + column, stride: outputs)
              column += part.count
            }
          case .bfloat16(let packed):
            packed.multiply(x.baseAddress!, rows: rows, bias: bias, activation: activation, into: c)
          }
        }
      }
    }
  }

  private static func withOptionalElements(_ tensor: Tensor?, _ body: (UnsafePointer<Float>?) -> Void) {
    guard let tensor else { return body(nil) }
    tensor.withUnsafeElements { body($0.baseAddress) }
  }
}
