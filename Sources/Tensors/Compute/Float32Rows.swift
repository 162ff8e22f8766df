import CKernels

/// Rows of a float32 weight matrix, multiplied where they stand.
struct Float32Rows: Sendable {
  let count: Int
  private let values: Values

  private enum Values: Sendable {
    case mapped(StoredTensor)
    case owned(Tensor)
  }

  init(_ stored: StoredTensor) throws {
    count = stored.shape[0]
    values = stored.isAlignedFloat32 ? .mapped(stored) : .owned(try Tensor(stored))
  }

  /// What of it lies in a file.
  var mapped: StoredTensor? {
    if case .mapped(let stored) = values, stored.file != nil { stored } else { nil }
  }

  private func withRows(_ body: (UnsafePointer<Float>) -> Void) {
    switch values {
    case .owned(let tensor): tensor.withUnsafeElements { body($0.baseAddress!) }
    case .mapped(let stored):
      stored.withBytes { bytes in
        bytes.withMemoryRebound(to: Float.self) { body($0.baseAddress!) }
      }
    }
  }

  /// Up to so many rows a kernel multiplies weights where they stand; with more it is faster to copy them on the way.
  static let fewRows = 64

  func multiply(
    _ x: UnsafePointer<Float>, rows: Int, inputs: Int, bias: UnsafePointer<Float>?, activation: Activation,
    into c: UnsafeMutablePointer<Float>, stride: Int
  ) {
    guard count > 0 else { return }
    withRows { w in
      guard rows <= Self.fewRows else {
        return Float32Product.multiply(
          rows: rows, columns: count, depth: inputs, x, aStride: inputs, w, bias: bias, activation: activation, into: c,
          cStride: stride)
      }
      let panelWidth = Int(CLUSCA_PANEL)
      let pieces = PanelPieces(rows: rows, outputs: count, mostRows: rows)
      ThreadPool.shared.forEach(pieces.count) { index in
        let panels = pieces[index].panels
        let columns = panels.lowerBound * panelWidth..<min(count, panels.upperBound * panelWidth)
        let next = pieces.panelAfter(index) * panelWidth
        kernels.product_few_rows(
          x, inputs, rows, inputs, w + columns.lowerBound * inputs, columns.count, c + columns.lowerBound, stride,
          next < count ? w + next * inputs : nil)
        guard bias != nil || activation != .identity else { return }
        kernels.add_bias(
          c + columns.lowerBound, rows, columns.count, stride, bias.map { $0 + columns.lowerBound }, activation.code)
      }
    }
  }
}

/// How a product is cut into pieces: by its size alone.
struct ProductTiles {
  private let rows: Int
  private let columns: Int
  private let tileRows: Int
  private let tileColumns: Int
  private let tilesAcross: Int
  let count: Int

  /// Halves the longer side until there are enough pieces for the threads of a large machine, or the pieces become so
  /// small that copies of them (OpenBLAS makes some of each) would cost more than they bring.
  init(rows: Int, columns: Int, wholeRows: Bool) {
    var (tileRows, tileColumns) = (rows, columns)
    let (fewestRows, fewestColumns, enough) = wholeRows ? (rows, 64, 64) : (128, 128, 16)
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
