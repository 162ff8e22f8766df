import CKernels

/// Products of float32 matrices that have many rows: by a kernel, or by OpenBLAS on CPUs for which there is none. Distances
/// between the rows of a matrix are its strides.
enum Float32Product {
  /// More than with weights that are packed already: each piece packs its own.
  private static let mostRowsOfPiece = 512

  /// Whether a kernel multiplies on this CPU.
  static var hasKernel: Bool { kernels.product_float32 != nil }

  /// c = activation(a · wᵀ + bias), on all threads; w has `columns` rows.
  ///
  /// - Parameter epilogue: takes columns as soon as they are there, if a kernel multiplies.
  static func multiply(
    rows: Int, columns: Int, depth: Int, _ a: UnsafePointer<Float>, aStride: Int, _ w: UnsafePointer<Float>,
    bias: UnsafePointer<Float>?, activation: Activation, into c: UnsafeMutablePointer<Float>, cStride: Int,
    epilogue: (any ProductEpilogue)?
  ) {
    func piece(_ pieceRows: Range<Int>, _ pieceColumns: Range<Int>, ahead: clusca_ahead = clusca_ahead()) {
      let column = pieceColumns.lowerBound
      Self.piece(
        rows: pieceRows.count, columns: pieceColumns.count, depth: depth, a + pieceRows.lowerBound * aStride,
        aStride: aStride, w + column * depth, wStride: depth, transposed: true, bias: bias.map { $0 + column },
        activation: activation, into: c + pieceRows.lowerBound * cStride + column, cStride: cStride, ahead: ahead)
    }
    guard hasKernel else {
      let tiles = ProductTiles(rows: rows, columns: columns)
      return ThreadPool.shared.forEach(tiles.count) { piece(tiles[$0].rows, tiles[$0].columns) }
    }
    let pieces = PanelPieces(rows: rows, outputs: columns, mostRows: mostRowsOfPiece)
    pieces.multiply(
      into: c, stride: cStride, panelsAtOnce: 1, epilogue: epilogue
    ) { rows, panels, next, memory in
      let first = pieces.firstColumn(next)
      piece(
        rows, pieces.columns(panels),
        ahead: clusca_ahead(
          weights: first < columns ? UnsafeRawPointer(w + first * depth) : nil, memory: memory.baseAddress,
          parts: memory.count))
    }
  }

  /// c = activation(a · wᵀ + bias) (`transposed`), or with w in place of wᵀ, on one thread.
  static func piece(
    rows: Int, columns: Int, depth: Int, _ a: UnsafePointer<Float>, aStride: Int, _ w: UnsafePointer<Float>,
    wStride: Int, transposed: Bool, bias: UnsafePointer<Float>? = nil, activation: Activation = .identity,
    into c: UnsafeMutablePointer<Float>, cStride: Int, ahead: clusca_ahead = clusca_ahead()
  ) {
    if let product = kernels.product_float32 {
      return product(
        a, aStride, rows, depth, w, wStride, transposed ? 1 : 0, columns, c, cStride, bias, activation.code, ahead)
    }
    OpenBLAS.product(
      rows: rows, columns: columns, depth: depth, a, aStride: aStride, w, wStride: wStride, transposed: transposed, c,
      cStride: cStride)
    if bias != nil || activation != .identity {
      kernels.add_bias(c, rows, columns, cStride, bias, activation.code)
    }
  }
}

/// How a product of OpenBLAS is cut into pieces: by its size alone.
private struct ProductTiles {
  private let rows: Int
  private let columns: Int
  private let tileRows: Int
  private let tileColumns: Int
  private let tilesAcross: Int
  let count: Int

  /// Halves the longer side until there are enough pieces for the threads of a large machine, or the pieces become so
  /// small that copies of them (OpenBLAS makes some of each) would cost more than they bring.
  init(rows: Int, columns: Int) {
    var (tileRows, tileColumns) = (rows, columns)
    let (fewestRows, fewestColumns, enough) = (128, 128, 16)
    func pieces(_ whole: Int, _ tile: Int) -> Int { (whole + tile - 1) / tile }
    while pieces(rows, tileRows) * pieces(columns, tileColumns) < enough {
      let halfRows = max(fewestRows, (tileRows / 2 + 15) / 16 * 16)
      let halfColumns = max(fewestColumns, (tileColumns / 2 + 15) / 16 * 16)
      let (canHalveRows, canHalveColumns) = (halfRows < tileRows, halfColumns < tileColumns)
      if canHalveRows && (tileRows > tileColumns || !canHalveColumns) {
        tileRows = halfRows
      } else if canHalveColumns {
        tileColumns = halfColumns
      } else {
        break
      }
    }
    self.rows = rows
    self.columns = columns
    self.tileRows = tileRows
    self.tileColumns = tileColumns
    tilesAcross = pieces(columns, tileColumns)
    count = pieces(rows, tileRows) * tilesAcross
  }

  subscript(index: Int) -> (rows: Range<Int>, columns: Range<Int>) {
    let (down, across) = (index / tilesAcross * tileRows, index % tilesAcross * tileColumns)
    return (down..<min(rows, down + tileRows), across..<min(columns, across + tileColumns))
  }
}
