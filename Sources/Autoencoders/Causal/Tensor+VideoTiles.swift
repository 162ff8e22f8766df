import Tensors

/// Parts of videos, `[frames, height, width, channels]`.
extension Tensor {
  func frames(_ range: Range<Int>) -> Tensor {
    let rowsPerFrame = shape[1] * shape[2]
    return rows(range.lowerBound * rowsPerFrame..<range.upperBound * rowsPerFrame)
      .reshaped([range.count] + shape.dropFirst())
  }

  /// Puts frames into the places from `first` on.
  mutating func replace(framesFrom first: Int, with frames: Tensor) {
    let start = first * shape[1] * shape[2] * shape[3]
    withUnsafeMutableElements { target in
      frames.withUnsafeElements { source in
        _ = target[start..<start + source.count].update(fromContentsOf: source)
      }
    }
  }

  /// The same part of every frame.
  func cutFrames(rows: Range<Int>, columns: Range<Int>) -> Tensor {
    // Rows of a frame are columns of a picture that has a frame in each row, and so are rows of all frames.
    let (frames, height, width, channels) = (shape[0], shape[1], shape[2], shape[3])
    let lines = reshaped([frames, height, width * channels]).cut(rows: 0..<frames, columns: rows)
    return lines.reshaped([frames * rows.count, width, channels])
      .cut(rows: 0..<frames * rows.count, columns: columns)
      .reshaped([frames, rows.count, columns.count, channels])
  }

  /// Puts the upper left `rows` × `columns` of a tile's frames into their place.
  mutating func pasteFrames(_ tile: Tensor, rows: Int, columns: Int, top: Int, left: Int) {
    let (frames, height, width, channels) = (shape[0], shape[1], shape[2], shape[3])
    let (tileHeight, tileWidth) = (tile.shape[1], tile.shape[2])
    withUnsafeMutableElements { target in
      tile.withUnsafeElements { source in
        for frame in 0..<frames {
          for row in 0..<rows {
            let first = ((frame * height + top + row) * width + left) * channels
            let from = (frame * tileHeight + row) * tileWidth * channels
            _ = target[first..<first + columns * channels].update(
              fromContentsOf: source[from..<from + columns * channels])
          }
        }
      }
    }
  }

  /// Fades the last frames of the stretch before, of the same size, into the first of this one (`blend_t`).
  mutating func fade(fromStretch before: Tensor, frames: Int) {
    as3D([shape[0], shape[1] * shape[2], shape[3]]) { tile in
      tile.fade(
        from: before.reshaped([before.shape[0], before.shape[1] * before.shape[2], before.shape[3]]), rows: frames)
    }
  }

  /// Fades the last rows of the frames above into the first of these (`blend_v`).
  mutating func fadeFrames(from above: Tensor, rows: Int) {
    as3D([shape[0], shape[1], shape[2] * shape[3]]) { tile in
      tile.fade(from: above.reshaped([above.shape[0], above.shape[1], above.shape[2] * above.shape[3]]), columns: rows)
    }
  }

  /// Fades the last columns of the frames to the left into the first of these (`blend_h`).
  mutating func fadeFrames(from left: Tensor, columns: Int) {
    as3D([shape[0] * shape[1], shape[2], shape[3]]) { tile in
      tile.fade(from: left.reshaped([left.shape[0] * left.shape[1], left.shape[2], left.shape[3]]), columns: columns)
    }
  }

  /// Changes the elements under another shape: frames, rows or columns become the rows or columns of a picture.
  private mutating func as3D(_ picture: [Int], _ body: (inout Tensor) -> Void) {
    let shape = shape
    self = reshaped(picture)
    body(&self)
    self = reshaped(shape)
  }
}
