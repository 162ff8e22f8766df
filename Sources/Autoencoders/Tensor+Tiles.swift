import Tensors

/// Rectangles of pictures, `[height, width, channels]`.
extension Tensor {
  func cut(rows: Range<Int>, columns: Range<Int>) -> Tensor {
    let (width, channels) = (shape[1], shape[2])
    var result = Tensor(uninitialized: [rows.count, columns.count, channels])
    withUnsafeElements { source in
      result.withUnsafeMutableElements { target in
        for (index, row) in rows.enumerated() {
          let first = (row * width + columns.lowerBound) * channels
          _ = target[index * columns.count * channels..<(index + 1) * columns.count * channels].update(
            fromContentsOf: source[first..<first + columns.count * channels])
        }
      }
    }
    return result
  }

  /// Puts the upper left `rows` × `columns` of a tile into its place.
  mutating func paste(_ tile: Tensor, rows: Int, columns: Int, top: Int, left: Int) {
    let (width, channels, tileWidth) = (shape[1], shape[2], tile.shape[1])
    withUnsafeMutableElements { target in
      tile.withUnsafeElements { source in
        for row in 0..<rows {
          let first = ((top + row) * width + left) * channels
          _ = target[first..<first + columns * channels].update(
            fromContentsOf: source[row * tileWidth * channels..<(row * tileWidth + columns) * channels])
        }
      }
    }
  }

  /// Fades the last rows of the tile above, which is as wide, into the first of this one (`blend_v`).
  mutating func fade(from above: Tensor, rows: Int) {
    let extent = min(above.shape[0], shape[0], rows)
    let rowLength = shape[1] * shape[2]
    fade(from: above) { source, target in
      for step in 0..<extent {
        let sourceRow = source + (above.shape[0] - extent + step) * rowLength
        Self.fade(step, of: extent, from: sourceRow, into: target + step * rowLength, count: rowLength)
      }
    }
  }

  /// Fades the last columns of the tile to the left, which is as high, into the first of this one (`blend_h`).
  mutating func fade(from left: Tensor, columns: Int) {
    let extent = min(left.shape[1], shape[1], columns)
    let (height, width, channels) = (shape[0], shape[1], shape[2])
    fade(from: left) { source, target in
      for row in 0..<height {
        for step in 0..<extent {
          let sourcePixel = source + ((row + 1) * left.shape[1] - extent + step) * channels
          Self.fade(
            step, of: extent, from: sourcePixel, into: target + (row * width + step) * channels, count: channels)
        }
      }
    }
  }

  private mutating func fade(
    from other: Tensor, _ body: (UnsafePointer<Float>, UnsafeMutablePointer<Float>) -> Void
  ) {
    other.withUnsafeElements { source in
      withUnsafeMutableElements { target in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        body(source, target)
      }
    }
  }

  /// b = a · (1 − step / extent) + b · (step / extent), the factors rounded from double precision as Python's are.
  private static func fade(
    _ step: Int, of extent: Int, from a: UnsafePointer<Float>, into b: UnsafeMutablePointer<Float>, count: Int
  ) {
    let part = Double(step) / Double(extent)
    let (old, new) = (Float(1 - part), Float(part))
    for index in 0..<count { b[index] = a[index] * old + b[index] * new }
  }
}
