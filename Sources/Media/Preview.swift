import Glibc

/// Pictures of what a latent shows before it is decoded, for a file or an event a step.
public enum Preview {
  /// How the samples of a small picture stand in memory.
  public enum Layout: Sendable {
    /// `[height, width, 3]`, as in `Picture`.
    case interleaved
    /// `[3, height, width]`, as in tensors.
    case planar
  }

  public enum Enlargement: Sendable {
    /// Each value becomes a square.
    case nearest
    /// Linear between the centres of neighbours, constant outside the outermost centres: `bilinear` with
    /// `align_corners=False` in torch.
    case bilinear
  }

  /// The picture of small RGB values, `factor` times as wide and high (8 undoes the reduction of a FLUX or DiT latent).
  ///
  /// `range` is what becomes 0 and 255, linearly between, rounded to nearest. Values beyond it are cut off; a value that
  /// is not a number, as a broken model gives, becomes 0 in place of an error.
  public static func picture(
    _ values: [Float], width: Int, height: Int, layout: Layout = .planar, range: ClosedRange<Float> = -1...1,
    enlargedBy factor: Int = 8, by enlargement: Enlargement = .bilinear
  ) throws(MediaError) -> Picture {
    let count = try Picture.byteCount(width: width, height: height)
    guard values.count == count else {
      throw .unsuitablePicture("A preview of \(width)x\(height) needs \(count) values, not \(values.count)")
    }
    guard factor > 0, factor <= Picture.maximumSide else {
      throw .unsuitablePicture("A preview cannot be enlarged \(factor) times")
    }
    guard range.lowerBound.isFinite, range.upperBound.isFinite, range.lowerBound < range.upperBound else {
      throw .unsuitablePicture("A preview needs a finite range of values")
    }
    let size = try Picture.byteCount(width: factor * width, height: factor * height)

    // Channel by channel as 0...255.
    let span = range.upperBound - range.lowerBound
    let planes: [[Float]] = (0..<3).map { channel in
      (0..<width * height).map { pixel in
        let value = values[layout == .planar ? channel * width * height + pixel : 3 * pixel + channel]
        let scaled = (value - range.lowerBound) / span * 255
        return scaled.isNaN ? 0 : min(255, max(0, scaled))
      }
    }
    let columns = taps(width, factor, enlargement)
    let rows = taps(height, factor, enlargement)
    var bytes = [UInt8](repeating: 0, count: size)
    var row = [Float](repeating: 0, count: width)
    for (y, vertical) in rows.enumerated() {
      for (channel, plane) in planes.enumerated() {
        for x in 0..<width {
          let above = plane[vertical.first * width + x]
          row[x] = above + vertical.weight * (plane[vertical.second * width + x] - above)
        }
        for (x, horizontal) in columns.enumerated() {
          let value = row[horizontal.first] + horizontal.weight * (row[horizontal.second] - row[horizontal.first])
          bytes[3 * (y * columns.count + x) + channel] = UInt8(min(255, max(0, value.rounded())))
        }
      }
    }
    return try Picture(width: factor * width, height: factor * height, bytes: bytes)
  }

  /// For each sample of an enlarged line, its two neighbours of the small line and the weight of the second.
  private static func taps(
    _ count: Int, _ factor: Int, _ enlargement: Enlargement
  ) -> [(first: Int, second: Int, weight: Float)] {
    (0..<count * factor).map { index in
      guard enlargement == .bilinear else { return (index / factor, index / factor, 0) }
      let position = max(0, (Float(index) + 0.5) / Float(factor) - 0.5)
      let first = min(count - 1, Int(position))
      return (first, min(count - 1, first + 1), position - Float(first))
    }
  }
}
