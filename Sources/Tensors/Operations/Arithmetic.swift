import CKernels

extension Tensor {
  public static func += (left: inout Tensor, right: Tensor) {
    left.combine(with: right) { kernels.add($0, $1, $2) }
  }

  public static func *= (left: inout Tensor, right: Tensor) {
    left.combine(with: right) { kernels.multiply($0, $1, $2) }
  }

  public static func + (left: consuming Tensor, right: Tensor) -> Tensor {
    left += right
    return left
  }

  /// self = self · a + other · b, element by element.
  public mutating func scale(by a: Float, adding other: Tensor, times b: Float) {
    combine(with: other) { kernels.scale_add($0, a, $1, b, $2) }
  }

  private mutating func combine(
    with other: Tensor, _ body: (UnsafeMutablePointer<Float>, UnsafePointer<Float>, Int) -> Void
  ) {
    precondition(shape == other.shape, "\(shape) and \(other.shape) cannot be combined element by element")
    let (rows, columns) = (rows, columns)
    other.withUnsafeElements { other in
      withUnsafeMutableElements { buffer in
        guard let x = buffer.baseAddress, let y = other.baseAddress else { return }
        Self.forEachRowRange(rows: rows, columns: columns) { range in
          body(x + range.lowerBound * columns, y + range.lowerBound * columns, range.count * columns)
        }
      }
    }
  }

  /// The two dimensions of a matrix exchanged.
  public func transposed() -> Tensor {
    let (rows, columns) = (rows, columns)
    var result = Tensor(uninitialized: [columns, rows])
    withUnsafeElements { source in
      result.withUnsafeMutableElements { target in
        for row in 0..<rows {
          for column in 0..<columns { target[column * rows + row] = source[row * columns + column] }
        }
      }
    }
    return result
  }
}
