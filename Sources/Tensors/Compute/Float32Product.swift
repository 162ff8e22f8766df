import CKernels

/// Products of float32 matrices that have many rows: by a kernel, or by OpenBLAS on CPUs for which there is none. Distances
/// between the rows of a matrix are its strides.
enum Float32Product {
  /// More than with weights that are packed already: each piece packs its own.
  private static let mostRowsOfPiece = 512

  /// c = activation(a · wᵀ + bias), on all threads; w has `columns` rows.
  static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: UnsafePointer<Float>, aStride: Int, _ w: UnsafePointer<Float>,
    bias: UnsafePointer<Float>?, activation: Activation, into c: UnsafeMutablePointer<Float>, cStride: Int
  ) {
    func piece(_ pieceRows: Range<Int>, _ pieceColumns: Range<Int>) {
      let column = pieceColumns.lowerBound
      Self.piece(
        rows: pieceRows.count, columns: pieceColumns.count, depth: depth, a + pieceRows.lowerBound * aStride,
        aStride: aStride, w + column * depth, wStride: depth, transposed: true, bias: bias.map { $0 + column },
        activation: activation, into: c + pieceRows.lowerBound * cStride + column, cStride: cStride)
    }
    guard kernels.product_float32 != nil else {
      let tiles = ProductTiles(rows: rows, columns: columns, wholeRows: false)
      return ThreadPool.shared.forEach(tiles.count) { piece(tiles[$0].rows, tiles[$0].columns) }
    }
    let panelWidth = Int(CLUSCA_PANEL)
    let pieces = PanelPieces(rows: rows, outputs: columns, mostRows: mostRowsOfPiece)
    ThreadPool.shared.forEach(pieces.count) { index in
      let (pieceRows, panels) = pieces[index]
      piece(pieceRows, panels.lowerBound * panelWidth..<min(columns, panels.upperBound * panelWidth))
    }
  }

  /// c = activation(a · wᵀ + bias) (`transposed`), or with w in place of wᵀ, on one thread.
  static func piece(
    rows: Int, columns: Int, depth: Int, _ a: UnsafePointer<Float>, aStride: Int, _ w: UnsafePointer<Float>,
    wStride: Int, transposed: Bool, bias: UnsafePointer<Float>? = nil, activation: Activation = .identity,
    into c: UnsafeMutablePointer<Float>, cStride: Int
  ) {
    if let product = kernels.product_float32 {
      return product(
        a, aStride, rows, depth, w, wStride, transposed ? 1 : 0, columns, c, cStride, bias, activation.code)
    }
    OpenBLAS.product(
      rows: rows, columns: columns, depth: depth, a, aStride: aStride, w, wStride: wStride, transposed: transposed, c,
      cStride: cStride)
    if bias != nil || activation != .identity {
      kernels.add_bias(c, rows, columns, cStride, bias, activation.code)
    }
  }
}
