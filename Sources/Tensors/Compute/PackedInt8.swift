import CKernels

/// A weight matrix in 8 bits with a scale for each output, reordered once into panels of 64 outputs that the kernel streams.
/// What it is multiplied with becomes 8 bits with a scale for each row on the way.
struct PackedInt8: Sendable {
  let outputs: Int
  let inputs: Int
  private let panels: AlignedStorage<Int8>
  private let scales: Tensor
  private let sums: [Int32]
  /// What the panels are if they were packed before and lie in a file.
  let mapped: StoredTensor?

  var byteCount: Int { panels.byteCount + scales.byteCount + sums.count * MemoryLayout<Int32>.stride }

  /// The shape of the panels in a file; scales and sums hold one number for each of their columns.
  static func panelShape(outputs: Int, inputs: Int) -> [Int] {
    let panelWidth = Int(CLUSCA_PANEL)
    return [(outputs + panelWidth - 1) / panelWidth, (inputs + 3) / 4 * 4 * panelWidth]
  }

  /// What was packed before, panels of ``panelShape(outputs:inputs:)``; nil if they are not aligned.
  init?(packed stored: StoredTensor, scales: StoredTensor, sums: StoredTensor, outputs: Int, inputs: Int) throws {
    guard let panels = AlignedStorage<Int8>(mapped: stored) else { return nil }
    self.outputs = outputs
    self.inputs = inputs
    self.panels = panels
    self.scales = try Tensor(scales)
    self.sums = try sums.int64Values().map { Int32(truncatingIfNeeded: $0) }
    mapped = stored
  }

  init(joining parts: [StoredTensor]) throws {
    inputs = parts[0].shape[1]
    outputs = parts.reduce(0) { $0 + $1.shape[0] }
    mapped = nil
    let shape = Self.panelShape(outputs: outputs, inputs: inputs)
    let (columns, count) = (shape[0] * Int(CLUSCA_PANEL), shape[0] * shape[1])
    var scales = Tensor(zeros: [columns])
    var sums = [Int32](repeating: 0, count: columns)
    if parts.allSatisfy(\.isShapeOnly), let zeros = AlignedStorage<Int8>(zeros: count) {
      panels = zeros
    } else {
      panels = AlignedStorage(count: count)
      panels.elements.update(repeating: 0)
      try Self.pack(parts, inputs: inputs, into: panels.start, &scales, &sums)
    }
    self.scales = scales
    self.sums = sums
  }

  private static func pack(
    _ parts: [StoredTensor], inputs: Int, into panels: UnsafeMutablePointer<Int8>, _ scales: inout Tensor,
    _ sums: inout [Int32]
  ) throws {
    try scales.withUnsafeMutableElements { scales in
      try sums.withUnsafeMutableBufferPointer { sums in
        let (scales, sums) = (scales.baseAddress, sums.baseAddress)
        try parts.forEachChunk { chunk, first in
          try Tensor(chunk).withUnsafeElements {
            kernels.pack_int8($0.baseAddress, chunk.shape[0], inputs, first, panels, scales, sums)
          }
        }
      }
    }
  }

  /// The bytes as a file keeps them: panels, scales, sums.
  func forEachPart(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    try body(UnsafeRawBufferPointer(panels.elements))
    try scales.withUnsafeElements { try body(UnsafeRawBufferPointer($0)) }
    try sums.withUnsafeBytes { try body($0) }
  }

  /// - Parameter epilogue: takes columns as soon as they are there.
  func multiply(
    _ x: UnsafePointer<Float>, rows: Int, bias: UnsafePointer<Float>?, activation: Activation,
    into c: UnsafeMutablePointer<Float>, stride cStride: Int, epilogue: (any ProductEpilogue)?
  ) {
    let stride = (inputs + 3) / 4 * 4
    let quantized = AlignedStorage<UInt8>(count: rows * stride)
    var rowScales = Tensor(uninitialized: [rows])
    let a = quantized.start
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
        pieces.multiply(into: c, stride: cStride, panelsAtOnce: 1, epilogue: epilogue) { rows, packed, next, memory in
          kernels.product_int8(
            a + rows.lowerBound * stride, stride, rowScales.map { $0 + rows.lowerBound }, rows.count, inputs,
            panels.start, scales, sums.baseAddress, packed.lowerBound, packed.upperBound, outputs,
            c + rows.lowerBound * cStride, cStride, bias, activation.code,
            clusca_ahead(weights: panel(next), memory: memory.baseAddress, parts: memory.count))
        }
      }
    }
    withExtendedLifetime(quantized) {}
  }

  /// Where a panel begins; nil behind the last.
  private func panel(_ index: Int) -> UnsafePointer<Int8>? {
    let first = index * Self.panelShape(outputs: outputs, inputs: inputs)[1]
    return first < panels.count ? UnsafePointer(panels.start + first) : nil
  }
}
