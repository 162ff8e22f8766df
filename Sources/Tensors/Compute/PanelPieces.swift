import CKernels

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
