import CKernels

/// How a product with panels of weights is cut into pieces: by its size alone.
///
/// All rows of a piece go by a few panels of weights. The pieces of the last rows become smaller towards the end, so that
/// threads end together though panels are few.
struct PanelPieces {
  private static let panelsPerPiece = 4
  /// The most rows of a piece: so many that a panel, which comes from memory for each, costs little beside its products; and
  /// where panels alone are too few pieces.
  private static let (mostRows, mostRowsOfFewPanels) = (384, 64)

  let rows: Int
  let outputs: Int
  private let panels: Int
  private let rowsPerPiece: Int
  /// Pieces across, of the last rows and of all others.
  private let lastAcross: [Range<Int>]
  private let across: Int
  let count: Int

  /// - Parameter mostRows: of one piece, where a panel costs more than to come from memory.
  init(rows: Int, outputs: Int, mostRows: Int? = nil) {
    let panelWidth = Int(CLUSCA_PANEL)
    panels = (outputs + panelWidth - 1) / panelWidth
    let mostRows = mostRows ?? (panels < Self.panelsPerPiece ? Self.mostRowsOfFewPanels : Self.mostRows)
    let down = (rows + mostRows - 1) / mostRows
    (self.rows, self.outputs) = (rows, outputs)
    rowsPerPiece = (rows + down - 1) / down
    across = (panels + Self.panelsPerPiece - 1) / Self.panelsPerPiece
    lastAcross = Self.shrinking(panels)
    count = across * (down - 1) + lastAcross.count
  }

  subscript(index: Int) -> (rows: Range<Int>, panels: Range<Int>) {
    let firstOfLast = count - lastAcross.count
    guard index < firstOfLast else {
      return (firstOfLast / across * rowsPerPiece..<rows, lastAcross[index - firstOfLast])
    }
    let (row, panel) = (index / across * rowsPerPiece, index % across * Self.panelsPerPiece)
    return (row..<row + rowsPerPiece, panel..<min(panels, panel + Self.panelsPerPiece))
  }

  /// The columns of some panels.
  func columns(_ panels: Range<Int>) -> Range<Int> {
    firstColumn(panels.lowerBound)..<firstColumn(panels.upperBound)
  }

  /// That of a panel; ``outputs`` behind the last.
  func firstColumn(_ panel: Int) -> Int { min(outputs, panel * Int(CLUSCA_PANEL)) }

  /// The first panel of the piece that the thread which has this one is likely to take next: threads take them in turns.
  /// ``panels`` if there is none. Only speed hangs on it.
  func panelAfter(_ index: Int) -> Int {
    let next = index + ThreadPool.shared.threads
    return next < count ? self[next].panels.lowerBound : panels
  }

  /// Panels in pieces that are halved while there are few left for many threads.
  private static func shrinking(_ panels: Int) -> [Range<Int>] {
    var pieces: [Range<Int>] = []
    var first = 0
    while first < panels {
      let left = panels - first
      let size = left > 2 * panelsPerPiece ? panelsPerPiece : left > panelsPerPiece / 2 ? panelsPerPiece / 2 : 1
      pieces.append(first..<first + size)
      first += size
    }
    return pieces
  }
}
