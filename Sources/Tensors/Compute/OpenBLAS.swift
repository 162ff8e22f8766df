import COpenBLAS

/// Products of float32 matrices by OpenBLAS, one core a call.
enum OpenBLAS {
  /// Set once, before the first product: threads are ours (`ThreadPool`), so that pieces never depend on their number.
  private static let singleThreaded: Void = openblas_set_num_threads(1)

  static var description: String {
    _ = singleThreaded
    return String(cString: openblas_get_config())
  }

  /// c = a · wᵀ (`transposed`) or a · w, for one piece. Strides are distances between rows.
  static func product(
    rows: Int, columns: Int, depth: Int, _ a: UnsafePointer<Float>, aStride: Int, _ w: UnsafePointer<Float>,
    wStride: Int, transposed: Bool, _ c: UnsafeMutablePointer<Float>, cStride: Int
  ) {
    _ = singleThreaded
    cblas_sgemm(
      CblasRowMajor, CblasNoTrans, transposed ? CblasTrans : CblasNoTrans, blasint(rows), blasint(columns),
      blasint(depth), 1, a, blasint(aStride), w, blasint(wStride), 0, c, blasint(cStride))
  }
}
