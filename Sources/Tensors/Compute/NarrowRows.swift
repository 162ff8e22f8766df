import CKernels

/// Rows in bfloat16 as products take them: an even number of columns, a zero behind an odd one.
struct NarrowRows {
  private let storage: AlignedStorage<UInt16>
  /// The distance between rows.
  let stride: Int

  var elements: UnsafeMutablePointer<UInt16> { storage.start }

  init(_ x: UnsafePointer<Float>, rows: Int, columns: Int) {
    let stride = (columns + 1) / 2 * 2
    storage = AlignedStorage<UInt16>(count: rows * stride)
    self.stride = stride
    let a = elements
    Tensor.forEachRowRange(rows: rows, columns: columns) { range in
      for row in range {
        kernels.to_bfloat16(x + row * columns, a + row * stride, columns)
        if stride > columns { a[row * stride + columns] = 0 }
      }
    }
  }
}
