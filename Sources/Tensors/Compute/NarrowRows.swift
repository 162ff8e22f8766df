import CKernels

/// Rows in bfloat16 as products take them: an even number of columns, a zero behind an odd one.
struct NarrowRows {
  let rows: Int
  /// The distance between rows.
  let stride: Int
  private let storage: AlignedStorage<UInt16>

  var elements: UnsafeMutablePointer<UInt16> { storage.start }

  /// Rows whose numbers are still to be written.
  init(uninitializedRows rows: Int, columns: Int) {
    self.rows = rows
    stride = (columns + 1) / 2 * 2
    storage = AlignedStorage<UInt16>(count: rows * stride)
    if stride > columns { for row in 0..<rows { elements[row * stride + columns] = 0 } }
  }

  init(_ x: UnsafePointer<Float>, rows: Int, columns: Int) {
    self.init(uninitializedRows: rows, columns: columns)
    write(x, columns: columns)
  }

  /// Writes as many rows of `columns` numbers over the first columns.
  func write(_ x: UnsafePointer<Float>, columns: Int) {
    Tensor.forEachRowRange(rows: rows, columns: columns) { range in
      for row in range { kernels.to_bfloat16(x + row * columns, elements + row * stride, columns) }
    }
  }
}
