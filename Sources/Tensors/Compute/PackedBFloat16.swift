import CKernels

/// A weight matrix in bfloat16, reordered once into panels of 64 outputs that the kernel streams.
struct PackedBFloat16: Sendable {
  let outputs: Int
  let inputs: Int
  private let panels: HalfStorage

  var byteCount: Int { panels.elements.count * MemoryLayout<UInt16>.stride }

  init(joining parts: [StoredTensor]) throws {
    inputs = parts[0].shape[1]
    outputs = parts.reduce(0) { $0 + $1.shape[0] }
    let panelWidth = Int(CLUSCA_PANEL)
    let pairs = (inputs + 1) / 2
    let count = (outputs + panelWidth - 1) / panelWidth * pairs * 2 * panelWidth
    if parts.allSatisfy(\.isShapeOnly), let zeros = HalfStorage(zeros: count) {
      panels = zeros
      return
    }
    panels = HalfStorage(count: count)
    panels.elements.update(repeating: 0)
    var first = 0
    for part in parts {
      // A few rows at a time, so that widening a large file takes no second copy of it.
      let rowsPerChunk = max(1, (1 << 20) / max(inputs, 1))
      for start in stride(from: 0, to: part.shape[0], by: rowsPerChunk) {
        let chunk = try part.rows(start..<min(part.shape[0], start + rowsPerChunk))
        chunk.withBFloat16 {
          kernels.pack_bfloat16($0, chunk.shape[0], inputs, first + start, panels.elements.baseAddress)
        }
      }
      first += part.shape[0]
    }
  }

  /// Rows of one piece: enough that a panel, which comes from memory for each, costs little beside its products.
  private static let mostRowsPerPiece = 384
  private static let panelsPerPiece = 4

  func multiply(
    _ x: UnsafePointer<Float>, rows: Int, bias: UnsafePointer<Float>?, activation: Activation,
    into c: UnsafeMutablePointer<Float>, stride cStride: Int
  ) {
    let narrow = NarrowRows(x, rows: rows, columns: inputs)
    let panelWidth = Int(CLUSCA_PANEL)
    let panelCount = (outputs + panelWidth - 1) / panelWidth
    let across = (panelCount + Self.panelsPerPiece - 1) / Self.panelsPerPiece
    let down = (rows + Self.mostRowsPerPiece - 1) / Self.mostRowsPerPiece
    let rowsPerPiece = (rows + down - 1) / down
    ThreadPool.shared.forEach(across * down) { piece in
      let firstRow = piece / across * rowsPerPiece
      let firstPanel = piece % across * Self.panelsPerPiece
      kernels.product_bfloat16(
        narrow.elements + firstRow * narrow.stride, narrow.stride, min(rowsPerPiece, rows - firstRow), inputs,
        panels.elements.baseAddress,
        firstPanel, min(panelCount, firstPanel + Self.panelsPerPiece), outputs, c + firstRow * cStride, cStride, bias,
        activation.code)
    }
    withExtendedLifetime(narrow) {}
  }
}
