import CKernels

/// A weight matrix that stays in its file and is packed panel by panel on its way to a product in bfloat16: for maps that
/// are used once in many steps, and would take memory in between. Its products are those of ``PackedBFloat16``, bit for bit.
struct StreamedBFloat16: Sendable {
  private let stored: StoredTensor
  private let inputs: Int
  /// 64 outputs each, but for the last.
  private let panels: [StoredTensor]

  init(_ stored: StoredTensor) throws {
    self.stored = stored
    let (outputs, panelWidth) = (stored.shape[0], Int(CLUSCA_PANEL))
    inputs = stored.shape[1]
    panels = try stride(from: 0, to: outputs, by: panelWidth).map {
      try stored.rows($0..<min(outputs, $0 + panelWidth))
    }
  }

  func multiply(
    _ x: UnsafePointer<Float>, rows: Int, bias: UnsafePointer<Float>?, activation: Activation,
    into c: UnsafeMutablePointer<Float>, stride cStride: Int
  ) {
    let narrow = NarrowRows(x, rows: rows, columns: inputs)
    let panelWidth = Int(CLUSCA_PANEL)
    let packedCount = (inputs + 1) / 2 * 2 * panelWidth
    let pieces = PanelPieces(rows: rows, outputs: stored.shape[0], mostRows: rows)
    ThreadPool.shared.forEach(pieces.count) { piece in
      let range = pieces[piece].panels
      withUnsafeTemporaryAllocation(of: UInt16.self, capacity: packedCount) { packed in
        for index in range {
          let (panel, first) = (panels[index], index * panelWidth)
          let outputs = panel.shape[0]
          if outputs < panelWidth { packed.initialize(repeating: 0) }
          panel.withBFloat16 { kernels.pack_bfloat16($0, outputs, inputs, 0, packed.baseAddress) }
          withMemory(ofPanel: index + 1 < range.upperBound ? index + 1 : pieces.panelAfter(piece)) { next in
            kernels.product_bfloat16(
              narrow.elements, narrow.stride, rows, inputs, packed.baseAddress, 0, 1, outputs, c + first, cStride,
              bias.map { $0 + first }, activation.code, clusca_ahead(weights: nil, memory: next, parts: 1))
          }
        }
      }
    }
    withExtendedLifetime(narrow) {}
    stored.advise(.done)
  }

  /// Calls `body` with where a panel lies, to be fetched while another is multiplied with; with nothing behind the last.
  private func withMemory(ofPanel index: Int, _ body: (UnsafePointer<clusca_memory>) -> Void) {
    guard index < panels.count else { return withUnsafePointer(to: clusca_memory(), body) }
    panels[index].withBytes { bytes in
      let line = 64
      withUnsafePointer(
        to: clusca_memory(start: bytes.baseAddress, bytes: line, stride: line, rows: bytes.count / line), body)
    }
  }
}
