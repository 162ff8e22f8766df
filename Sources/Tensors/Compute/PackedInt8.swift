import CKernels

/// A weight matrix in 8 bits with a scale for each output, reordered once into panels of 64 outputs that the kernel streams.
/// What it is multiplied with becomes 8 bits with a scale for each row on the way.
///
/// Unchecked: written before it is shared, never after.
final class PackedInt8: @unchecked Sendable {
  let outputs: Int
  let inputs: Int
  private let panels: UnsafeMutableRawPointer
  private let panelBytes: Int
  private let scales: Tensor
  private let sums: [Int32]

  var byteCount: Int { panelBytes + scales.byteCount + sums.count * MemoryLayout<Int32>.stride }

  init(joining parts: [StoredTensor]) throws {
    inputs = parts[0].shape[1]
    outputs = parts.reduce(0) { $0 + $1.shape[0] }
    let panelWidth = Int(CLUSCA_PANEL)
    let columns = (outputs + panelWidth - 1) / panelWidth * panelWidth
    panelBytes = columns * ((inputs + 3) / 4 * 4)
    panels = RecycledMemory.allocate(bytes: max(1, panelBytes))
    var scales = Tensor(zeros: [columns])
    var sums = [Int32](repeating: 0, count: columns)
    // Models that are measured by their shapes alone cost nothing: their pages are never touched.
    if !parts.allSatisfy(\.isShapeOnly) {
      panels.initializeMemory(as: UInt8.self, repeating: 0, count: panelBytes)
      try Self.pack(parts, inputs: inputs, into: panels, &scales, &sums)
    }
    self.scales = scales
    self.sums = sums
  }

  deinit { RecycledMemory.release(panels, bytes: max(1, panelBytes)) }

  private static func pack(
    _ parts: [StoredTensor], inputs: Int, into panels: UnsafeMutableRawPointer, _ scales: inout Tensor,
    _ sums: inout [Int32]
  ) throws {
    var first = 0
    for part in parts {
      // A few rows at a time, so that widening a large file takes no second copy of it.
      let rowsPerChunk = max(1, (1 << 20) / max(inputs, 1))
      for start in stride(from: 0, to: part.shape[0], by: rowsPerChunk) {
        let chunk = try Tensor(part.rows(start..<min(part.shape[0], start + rowsPerChunk)))
        chunk.withUnsafeElements { values in
          scales.withUnsafeMutableElements { scales in
            kernels.pack_int8(
              values.baseAddress, chunk.rows, inputs, first + start, panels.assumingMemoryBound(to: Int8.self),
              scales.baseAddress, &sums)
          }
        }
      }
      first += part.shape[0]
    }
  }

  func multiply(
    _ x: UnsafePointer<Float>, rows: Int, bias: UnsafePointer<Float>?, activation: Activation,
    into c: UnsafeMutablePointer<Float>, stride cStride: Int
  ) {
    let stride = (inputs + 3) / 4 * 4
    // Bytes by pairs.
    let quantized = HalfStorage(count: rows * stride / 2)
    var rowScales = Tensor(uninitialized: [rows])
    let a = UnsafeMutableRawPointer(quantized.elements.baseAddress!).assumingMemoryBound(to: UInt8.self)
    rowScales.withUnsafeMutableElements { rowScales in
      let start = rowScales.baseAddress!
      Tensor.forEachRowRange(rows: rows, columns: inputs) { range in
        let row = range.lowerBound
        kernels.quantize_rows(x + row * inputs, range.count, inputs, a + row * stride, stride, start + row)
      }
    }
    let pieces = PanelPieces(rows: rows, outputs: outputs)
    Tensor.withElements(rowScales, scales) { rowScales, scales in
      sums.withUnsafeBufferPointer { sums in
        ThreadPool.shared.forEach(pieces.count) { index in
          let (rows, panels) = pieces[index]
          kernels.product_int8(
            a + rows.lowerBound * stride, stride, rowScales.map { $0 + rows.lowerBound }, rows.count, inputs,
            self.panels.assumingMemoryBound(to: Int8.self), scales, sums.baseAddress, panels.lowerBound,
            panels.upperBound, outputs, c + rows.lowerBound * cStride, cStride, bias, activation.code)
        }
      }
    }
    withExtendedLifetime(quantized) {}
  }
}

/// How a product with packed weights is cut into pieces: by its size alone.
struct PanelPieces {
  /// Rows of one piece: enough that a panel, which comes from memory for each, costs little beside its products.
  private static let mostRows = 384
  private static let panelsPerPiece = 4

  private let rows: Int
  private let panels: Int
  private let rowsPerPiece: Int
  private let across: Int
  let count: Int

  init(rows: Int, outputs: Int) {
    let panelWidth = Int(CLUSCA_PANEL)
    let down = (rows + Self.mostRows - 1) / Self.mostRows
    self.rows = rows
    panels = (outputs + panelWidth - 1) / panelWidth
    rowsPerPiece = (rows + down - 1) / down
    across = (panels + Self.panelsPerPiece - 1) / Self.panelsPerPiece
    count = across * down
  }

  subscript(index: Int) -> (rows: Range<Int>, panels: Range<Int>) {
    let (row, panel) = (index / across * rowsPerPiece, index % across * Self.panelsPerPiece)
    return (row..<min(rows, row + rowsPerPiece), panel..<min(panels, panel + Self.panelsPerPiece))
  }
}
