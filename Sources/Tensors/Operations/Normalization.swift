import CKernels

/// Shift and scale of adaLN, one value a column: x ↦ x · (1 + scale) + shift.
public struct Modulation: Sendable {
  public var shift: Tensor
  public var scale: Tensor

  public init(shift: Tensor, scale: Tensor) {
    self.shift = shift
    self.scale = scale
  }
}

/// Layer normalization over the columns, with learned weight and bias, with modulation, or plain.
public struct LayerNorm: Sendable {
  public let epsilon: Float
  private let weight: Tensor?
  private let bias: Tensor?

  /// Without parameters: `elementwise_affine=False`.
  public init(epsilon: Float) {
    self.epsilon = epsilon
    weight = nil
    bias = nil
  }

  public init(_ parameters: Parameters, columns: Int, epsilon: Float) throws {
    self.epsilon = epsilon
    weight = try parameters.tensor("weight", shape: [columns])
    bias = try parameters.tensor("bias", shape: [columns])
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    apply(x, rows: 0..<x.rows, offset: 0, scale: weight, shift: bias)
  }

  /// norm(x) · (1 + scale) + shift, for all rows of x or a range of them.
  public func callAsFunction(_ x: Tensor, rows: Range<Int>? = nil, _ modulation: Modulation) -> Tensor {
    apply(x, rows: rows ?? 0..<x.rows, offset: 1, scale: modulation.scale, shift: modulation.shift)
  }

  private func apply(_ x: Tensor, rows: Range<Int>, offset: Float, scale: Tensor?, shift: Tensor?) -> Tensor {
    precondition(rows.lowerBound >= 0 && rows.upperBound <= x.rows, "\(x.shape) has no rows \(rows)")
    let columns = x.columns
    var y = Tensor(uninitialized: rows.count == x.rows ? x.shape : [rows.count, columns])
    Tensor.withElements(scale, shift) { scale, shift in
      x.withUnsafeElements { source in
        y.withUnsafeMutableElements { target in
          guard let source = source.baseAddress, let to = target.baseAddress else { return }
          let from = source + rows.lowerBound * columns
          Tensor.forEachRowRange(rows: rows.count, columns: columns) { range in
            let start = range.lowerBound * columns
            kernels.layer_norm(from + start, to + start, range.count, columns, epsilon, offset, scale, shift)
          }
        }
      }
    }
    return y
  }
}

/// x / rms(x) · weight over the columns, or over each head of a row.
public struct RMSNorm: Sendable {
  public let epsilon: Float
  public let weight: Tensor

  public init(_ parameters: Parameters, columns: Int, epsilon: Float) throws {
    self.init(weight: try parameters.tensor("weight", shape: [columns]), epsilon: epsilon)
  }

  public init(weight: Tensor, epsilon: Float) {
    self.weight = weight
    self.epsilon = epsilon
  }

  public func callAsFunction(_ x: Tensor) -> Tensor {
    var y = x
    apply(to: &y, rows: 0..<x.rows, firstColumn: 0, heads: 1)
    return y
  }

  /// Normalizes `heads` groups of columns, each as wide as the weight, from `firstColumn` on, in some rows, in place.
  public func apply(to x: inout Tensor, rows: Range<Int>, firstColumn: Int, heads: Int) {
    let (stride, width) = (x.columns, weight.count)
    precondition(firstColumn + heads * width <= stride && rows.upperBound <= x.rows, "outside of \(x.shape)")
    weight.withUnsafeElements { weight in
      x.withUnsafeMutableElements { x in
        guard let start = x.baseAddress else { return }
        Tensor.forEachRowRange(rows: rows.count, columns: heads * width) { range in
          for row in range {
            let group = start + (rows.lowerBound + row) * stride + firstColumn
            kernels.rms_norm(group, width, group, width, heads, width, epsilon, weight.baseAddress)
          }
        }
      }
    }
  }
}
