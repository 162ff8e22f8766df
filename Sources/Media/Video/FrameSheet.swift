/// The frames of a video as one picture: below one another, in several columns where one would be too tall. So a video
/// travels and is kept without loss before its form is decided.
public struct FrameSheet: Sendable, Equatable {
  public let frames: Int
  /// Of a frame, in pixels.
  public let width: Int
  public let height: Int
  private let grid: Grid

  /// - Throws: ``MediaError`` if so many frames do not fit into a picture.
  public init(frames: Int, width: Int, height: Int) throws(MediaError) {
    self.frames = frames
    self.width = width
    self.height = height
    // Fewer than one row is that of a frame which is too tall itself; that is said when the sheet is made.
    let rows = min(max(1, frames), max(1, Picture.maximumSide / max(1, height)))
    grid = try Grid(rows: rows, columns: (max(1, frames) + rows - 1) / rows)
  }

  /// - Parameter pictures: the frames, in their order.
  public func sheet(_ pictures: [Picture]) throws(MediaError) -> Picture {
    guard pictures.count == frames else {
      throw .unsuitablePicture("A sheet of \(frames) frames is not made of \(pictures.count)")
    }
    for picture in pictures where picture.width != width || picture.height != height {
      throw .unsuitablePicture("A frame of \(width)x\(height) is none of \(picture.width)x\(picture.height)")
    }
    return try grid.sheet(pictures)
  }

  /// The frames of a sheet, in their order.
  ///
  /// - Throws: ``MediaError`` for a picture that is no sheet of these frames.
  public func frames(of sheet: Picture) throws(MediaError) -> [Picture] {
    guard sheet.width == grid.columns * width, sheet.height == grid.rows * height else {
      throw .unsuitablePicture(
        "A picture of \(sheet.width)x\(sheet.height) is no sheet of \(frames) frames of \(width)x\(height)")
    }
    var pictures: [Picture] = []
    for index in 0..<frames {
      pictures.append(
        try sheet.cropped(
          x: index % grid.columns * width, y: index / grid.columns * height, width: width, height: height))
    }
    return pictures
  }
}
