import CKernels

extension [StoredTensor] {
  /// Calls `body` with a few rows at a time of matrices that lie one below the other, on all threads: so that widening those
  /// of a large file takes no second copy of it.
  ///
  /// - Parameter body: takes rows of one of the matrices, and where the first of them is in all.
  /// - Throws: what is wrong with a file, and what `body` throws.
  func forEachChunk(_ body: (_ chunk: StoredTensor, _ firstRow: Int) throws -> Void) throws {
    var first = 0
    for matrix in self {
      let (rows, columns) = (matrix.shape[0], matrix.shape[1])
      // Whole panels, which are written by one thread each then.
      let rowsPerChunk = Swift.max(1, (1 << 18) / Swift.max(columns, 1) / Int(CLUSCA_PANEL)) * Int(CLUSCA_PANEL)
      let chunks = try stride(from: 0, to: rows, by: rowsPerChunk).map { start in
        (start: start, rows: try matrix.rows(start..<Swift.min(rows, start + rowsPerChunk)))
      }
      let results = ThreadPool.shared.map(chunks.count) { index in
        Result { try body(chunks[index].rows, first + chunks[index].start) }
      }
      for result in results { try result.get() }
      first += rows
      matrix.advise(.done)
    }
  }
}
