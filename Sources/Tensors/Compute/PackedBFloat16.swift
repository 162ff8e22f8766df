import CKernels

/// A weight matrix in bfloat16, reordered once into panels of 64 outputs that the kernel streams.
struct PackedBFloat16: Sendable {
  let outputs: Int
  let inputs: Int
  private let panels: AlignedStorage<UInt16>
  /// What the panels are if they were packed before and lie in a file.
  let mapped: StoredTensor?

  var byteCount: Int { panels.byteCount }

  /// The shape of the panels in a file.
  static func panelShape(outputs: Int, inputs: Int) -> [Int] {
    let panelWidth = Int(CLUSCA_PANEL)
    return [(outputs + panelWidth - 1) / panelWidth, (inputs + 1) / 2 * 2 * panelWidth]
  }

  /// What was packed before, of ``panelShape(outputs:inputs:)``; nil if it is not aligned.
  init?(packed stored: StoredTensor, outputs: Int, inputs: Int) {
    guard let panels = AlignedStorage<UInt16>(mapped: stored) else { return nil }
    self.outputs = outputs
    self.inputs = inputs
    self.panels = panels
    mapped = stored
  }

  init(joining parts: [StoredTensor]) throws {
    inputs = parts[0].shape[1]
    outputs = parts.reduce(0) { $0 + $1.shape[0] }
    mapped = nil
    let count = Self.panelShape(outputs: outputs, inputs: inputs).reduce(1, *)
    if parts.allSatisfy(\.isShapeOnly), let zeros = AlignedStorage<UInt16>(zeros: count) {
      panels = zeros
      return
    }
    panels = AlignedStorage<UInt16>(count: count)
    // Behind the last output a panel holds zeros.
    panels.elements.suffix(Self.panelShape(outputs: outputs, inputs: inputs)[1]).update(repeating: 0)
    let (inputs, start) = (inputs, panels.start)
    try parts.forEachChunk { chunk, first in
      chunk.withBFloat16 { kernels.pack_bfloat16($0, chunk.shape[0], inputs, first, start) }
    }
  }

  /// The bytes as a file keeps them.
  func forEachPart(_ body: (UnsafeRawBufferPointer) throws -> Void) rethrows {
    try body(UnsafeRawBufferPointer(panels.elements))
  }

  func multiply(
    _ x: UnsafePointer<Float>, rows: Int, bias: UnsafePointer<Float>?, activation: Activation,
    into c: UnsafeMutablePointer<Float>, stride cStride: Int, epilogue: (any ProductEpilogue)?
  ) {
    multiply(
      NarrowRows(x, rows: rows, columns: inputs), bias: bias, activation: activation, into: c, stride: cStride,
      epilogue: epilogue)
  }

  /// - Parameter epilogue: takes columns as soon as they are there.
  func multiply(
    _ x: NarrowRows, bias: UnsafePointer<Float>?, activation: Activation, into c: UnsafeMutablePointer<Float>,
    stride cStride: Int, epilogue: (any ProductEpilogue)?
  ) {
    let pieces = PanelPieces(rows: x.rows, outputs: outputs)
    // Where rows are widened, that is done once for all panels.
    pieces.multiply(
      into: c, stride: cStride, panelsAtOnce: Self.givesNarrowRows ? 1 : nil, epilogue: epilogue
    ) { rows, packed, next, memory in
      kernels.product_bfloat16(
        x.elements + rows.lowerBound * x.stride, x.stride, rows.count, inputs, panels.start, packed.lowerBound,
        packed.upperBound, outputs, c + rows.lowerBound * cStride, cStride, bias, activation.code,
        clusca_ahead(weights: panel(next), memory: memory.baseAddress, parts: memory.count))
    }
    withExtendedLifetime(x) {}
  }

  /// Whether ``multiply(_:bias:activation:into:firstColumn:)`` can be had.
  static var givesNarrowRows: Bool { kernels.narrow_product_bfloat16 != nil }

  /// Writes the product over some of the columns of rows that another product takes.
  func multiply(
    _ x: NarrowRows, bias: UnsafePointer<Float>?, activation: Activation, into c: NarrowRows, firstColumn: Int
  ) {
    let pieces = PanelPieces(rows: x.rows, outputs: outputs)
    ThreadPool.shared.forEach(pieces.count) { index in
      let (rows, packed) = pieces[index]
      let scratch = rows.count * Int(CLUSCA_PANEL) * MemoryLayout<Float>.stride
      withUnsafeTemporaryAllocation(byteCount: scratch, alignment: 64) { scratch in
        kernels.narrow_product_bfloat16(
          x.elements + rows.lowerBound * x.stride, x.stride, rows.count, inputs, panels.start, packed.lowerBound,
          packed.upperBound, outputs, c.elements + rows.lowerBound * c.stride + firstColumn, c.stride,
          scratch.baseAddress!.assumingMemoryBound(to: Float.self), bias, activation.code,
          clusca_ahead(weights: panel(pieces.panelAfter(index)), memory: nil, parts: 0))
      }
    }
    withExtendedLifetime((x, c)) {}
  }

  /// Where a panel begins; nil behind the last.
  private func panel(_ index: Int) -> UnsafePointer<UInt16>? {
    let first = index * Self.panelShape(outputs: outputs, inputs: inputs)[1]
    return first < panels.count ? UnsafePointer(panels.start + first) : nil
  }
}
