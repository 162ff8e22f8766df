import CKernels

/// What is to be done with all that a product gives, once. A product in bfloat16 does it itself, piece by piece, while a piece is
/// near; and on its way it fetches what that takes, since it computes for long on what is near and memory has nothing to do
/// meanwhile. Other products leave it to whoever wants it.
public protocol ProductEpilogue: AnyObject, Sendable {
  /// Of the product: rows and columns.
  var shape: [Int] { get }

  /// What it looks at.
  var memory: ProductMemory { get }

  /// Takes some rows and columns of the product. Pieces do not overlap, and together they are all of it; several threads call
  /// it at once.
  ///
  /// - Parameters:
  ///   - piece: its first number.
  ///   - stride: the distance of its rows.
  func take(_ piece: UnsafePointer<Float>, stride: Int, rows: Range<Int>, columns: Range<Int>)

  /// All pieces were taken.
  func end()
}

/// Memory that is needed behind the pieces of a product.
///
/// It holds addresses alone, and nothing is read from them: what lies there may change or go, and only speed hangs on it.
public struct ProductMemory: @unchecked Sendable {
  private struct Matrix {
    let start: UnsafeRawPointer
    let columns: Int
    let elementBytes: Int
    /// Nil if it has those of the product.
    let rows: Int?
  }
  private let matrices: [Matrix]

  /// - Parameters:
  ///   - wide: matrices of the product's shape.
  ///   - narrow: as are these.
  ///   - whole: matrices of its columns, all of whose rows are needed.
  public init(_ wide: [Tensor], narrow: [BFloat16Tensor] = [], whole: [Tensor] = []) {
    matrices =
      wide.map { Matrix(start: $0.start, columns: $0.columns, elementBytes: MemoryLayout<Float>.stride, rows: nil) }
      + narrow.map { tensor in
        Matrix(
          start: tensor.start, columns: tensor.shape.last ?? 1, elementBytes: MemoryLayout<UInt16>.stride, rows: nil)
      }
      + whole.map { tensor in
        Matrix(
          start: tensor.start, columns: tensor.columns, elementBytes: MemoryLayout<Float>.stride, rows: tensor.rows)
      }
  }

  /// Calls `body` with what some rows and columns of the product need.
  func withPart<Value>(
    rows: Range<Int>, columns: Range<Int>, _ body: (UnsafeBufferPointer<clusca_memory>) -> Value
  ) -> Value {
    withUnsafeTemporaryAllocation(of: clusca_memory.self, capacity: matrices.count) { parts in
      for (place, matrix) in matrices.enumerated() {
        let rows = matrix.rows.map { 0..<$0 } ?? rows
        let stride = matrix.columns * matrix.elementBytes
        parts.initializeElement(
          at: place,
          to: clusca_memory(
            start: matrix.start + rows.lowerBound * stride + columns.lowerBound * matrix.elementBytes,
            bytes: columns.count * matrix.elementBytes, stride: stride, rows: rows.count))
      }
      return body(UnsafeBufferPointer(parts))
    }
  }
}
