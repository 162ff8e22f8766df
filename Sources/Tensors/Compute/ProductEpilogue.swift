import CKernels

/// What is to be done with all that a product gives, once. Products with packed weights, and those of many rows in float32, do
/// it themselves, piece by piece, while a piece is near; and on their way they fetch what that takes, since they compute for long
/// on what is near and memory has nothing to do meanwhile. Other products leave it to whoever wants it.
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

extension PanelPieces {
  /// Multiplies all pieces, on all threads, and gives the epilogue what they are made into.
  ///
  /// - Parameters:
  ///   - c: the product, whose rows are `stride` apart.
  ///   - panelsAtOnce: the epilogue gets so many as soon as they are there; all of a piece if nil.
  ///   - multiply: is given what is multiplied, the panel that the thread is likely to take next (behind the last if there is
  ///     none), and what is to be fetched on the way.
  func multiply(
    into c: UnsafePointer<Float>, stride: Int, panelsAtOnce: Int?, epilogue: (any ProductEpilogue)?,
    _ multiply: (_ rows: Range<Int>, _ panels: Range<Int>, _ next: Int, _ memory: UnsafeBufferPointer<clusca_memory>) ->
      Void
  ) {
    precondition(epilogue.map { $0.shape == [rows, outputs] } ?? true, "the epilogue is of another product")
    let memory = epilogue?.memory
    ThreadPool.shared.forEach(count) { index in
      let (rows, panels) = self[index]
      guard let epilogue, let memory else {
        return multiply(rows, panels, panelAfter(index), UnsafeBufferPointer(start: nil, count: 0))
      }
      let atOnce = panelsAtOnce ?? panels.count
      for first in Swift.stride(from: panels.lowerBound, to: panels.upperBound, by: atOnce) {
        let end = min(panels.upperBound, first + atOnce)
        let columns = columns(first..<end)
        memory.withPart(rows: rows, columns: columns) {
          multiply(rows, first..<end, end < panels.upperBound ? end : panelAfter(index), $0)
        }
        epilogue.take(
          c + rows.lowerBound * stride + columns.lowerBound, stride: stride, rows: rows, columns: columns)
      }
    }
    epilogue?.end()
  }
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
