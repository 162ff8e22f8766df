/// A contact sheet: pictures of one size in rows and columns.
public struct Grid: Sendable, Equatable {
  public let rows: Int
  public let columns: Int
  /// Pixels between neighbours; there is no margin around the sheet.
  public var spacing: Int
  /// The colour between pictures and of empty cells.
  public var background: Colour

  public init(rows: Int, columns: Int, spacing: Int = 0, background: Colour = .white) throws(MediaError) {
    guard rows > 0, columns > 0, spacing >= 0 else {
      throw .unsuitablePicture("A grid of \(rows) rows and \(columns) columns with \(spacing) pixels between is none")
    }
    self.rows = rows
    self.columns = columns
    self.spacing = spacing
    self.background = background
  }

  /// Reads `RxC`, rows first: `2x3` has two rows of three pictures.
  public init(parsing text: String) throws(MediaError) {
    let numbers = text.split(separator: "x", omittingEmptySubsequences: false).map { part in
      part.utf8.allSatisfy { (0x30...0x39).contains($0) } ? Int(part) : nil
    }
    guard numbers.count == 2, let rows = numbers[0], let columns = numbers[1], rows > 0, columns > 0 else {
      throw .unsuitablePicture("\"\(text)\" is not a grid such as 2x3, two rows of three pictures")
    }
    try self.init(rows: rows, columns: columns)
  }

  /// The sheet, filled row by row. Cells behind the last picture show the background.
  public func sheet(_ pictures: [Picture]) throws(MediaError) -> Picture {
    guard let first = pictures.first else { throw .unsuitablePicture("A grid needs at least one picture") }
    guard spacing >= 0 else { throw .unsuitablePicture("Pictures cannot stand \(spacing) pixels apart") }
    let (cells, overflow) = rows.multipliedReportingOverflow(by: columns)
    guard overflow || pictures.count <= cells else {
      throw .unsuitablePicture("\(pictures.count) pictures do not fit a grid of \(rows)x\(columns)")
    }
    for picture in pictures where picture.width != first.width || picture.height != first.height {
      throw .unsuitablePicture(
        "A grid needs pictures of one size, not \(first.width)x\(first.height) and \(picture.width)x\(picture.height)")
    }
    guard let width = extent(columns, first.width), let height = extent(rows, first.height) else {
      throw .unsuitablePicture("A grid of \(rows)x\(columns) such pictures is too large")
    }
    var sheet = try Picture(width: width, height: height, filledWith: background)
    for (index, picture) in pictures.enumerated() {
      try sheet.place(
        picture, x: index % columns * (first.width + spacing), y: index / columns * (first.height + spacing))
    }
    return sheet
  }

  /// The pixels of `count` pictures in a row; nil beyond 64 bits.
  private func extent(_ count: Int, _ side: Int) -> Int? {
    let (step, first) = side.addingReportingOverflow(spacing)
    let (all, second) = step.multipliedReportingOverflow(by: count)
    return first || second ? nil : all - spacing
  }
}
