/// A picture of 8-bit sRGB samples: `height` rows of `width` pixels of red, green and blue, without padding.
public struct Picture: Sendable, Equatable {
  /// The most pixels a picture may have, 16384 x 16384 (805 MB): a mistyped size ends in a sentence, not in swap.
  public static let maximumPixels = 1 << 28
  /// The longest side in pixels.
  public static let maximumSide = 1 << 16

  public let width: Int
  public let height: Int
  /// Interleaved samples, `[height, width, 3]` row by row.
  public private(set) var bytes: [UInt8]

  /// A picture of the given samples, whose count must be `3 * width * height`.
  public init(width: Int, height: Int, bytes: [UInt8]) throws(MediaError) {
    let count = try Picture.byteCount(width: width, height: height)
    guard bytes.count == count else {
      throw .unsuitablePicture("A picture of \(width)x\(height) has \(count) bytes, not \(bytes.count)")
    }
    self.width = width
    self.height = height
    self.bytes = bytes
  }

  /// A picture of one colour.
  public init(width: Int, height: Int, filledWith colour: Colour) throws(MediaError) {
    let count = try Picture.byteCount(width: width, height: height)
    self.width = width
    self.height = height
    self.bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      for pixel in 0..<count / 3 {
        buffer.initializeElement(at: 3 * pixel, to: colour.red)
        buffer.initializeElement(at: 3 * pixel + 1, to: colour.green)
        buffer.initializeElement(at: 3 * pixel + 2, to: colour.blue)
      }
      initialized = count
    }
  }

  /// The bytes of a picture of this size, or why there can be no such picture.
  static func byteCount(width: Int, height: Int) throws(MediaError) -> Int {
    guard width > 0, height > 0 else {
      throw .unsuitablePicture("A picture of \(width)x\(height) has no pixels")
    }
    let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
    guard !overflow, pixels <= maximumPixels, width <= maximumSide, height <= maximumSide else {
      throw .unsuitablePicture(
        "A picture of \(width)x\(height) is larger than \(maximumPixels) pixels or \(maximumSide) along a side")
    }
    return 3 * pixels
  }

  /// The colour at column `x` from the left and row `y` from the top; nil outside the picture.
  public subscript(x: Int, y: Int) -> Colour? {
    guard (0..<width).contains(x), (0..<height).contains(y) else { return nil }
    let offset = 3 * (y * width + x)
    return Colour(red: bytes[offset], green: bytes[offset + 1], blue: bytes[offset + 2])
  }

  /// The part whose left upper pixel is (`x`, `y`). It must lie within the picture.
  public func cropped(x: Int, y: Int, width: Int, height: Int) throws(MediaError) -> Picture {
    try requireInside(x: x, y: y, width: width, height: height)
    var part: [UInt8] = []
    part.reserveCapacity(3 * width * height)
    for row in y..<y + height {
      let start = 3 * (row * self.width + x)
      part.append(contentsOf: bytes[start..<start + 3 * width])
    }
    return try Picture(width: width, height: height, bytes: part)
  }

  /// Covers the part whose left upper pixel is (`x`, `y`) with `picture`, which must lie within this one.
  public mutating func place(_ picture: Picture, x: Int, y: Int) throws(MediaError) {
    try requireInside(x: x, y: y, width: picture.width, height: picture.height)
    let rowBytes = 3 * picture.width
    for row in 0..<picture.height {
      let start = 3 * ((y + row) * width + x)
      bytes.replaceSubrange(
        start..<start + rowBytes, with: picture.bytes[row * rowBytes..<(row + 1) * rowBytes])
    }
  }

  private func requireInside(x: Int, y: Int, width: Int, height: Int) throws(MediaError) {
    // Compared by subtraction, which cannot overflow once every number is known to be within the picture's size.
    guard x >= 0, y >= 0, width > 0, height > 0, width <= self.width, height <= self.height,
      x <= self.width - width, y <= self.height - height
    else {
      throw .unsuitablePicture(
        "A part of \(width)x\(height) at (\(x), \(y)) does not lie within a picture of \(self.width)x\(self.height)")
    }
  }
}
