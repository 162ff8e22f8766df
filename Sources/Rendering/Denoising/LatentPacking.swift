import Tensors

/// FLUX' image tokens: patches of 2 × 2 latents, channels ordered (channel, row, column).
public enum LatentPacking {
  /// `[channels, 2 rows, 2 columns]` → `[rows · columns, 4 channels]`; height and width must be even.
  public static func pack(_ latents: Tensor) -> Tensor {
    let (channels, height, width) = (latents.shape[0], latents.shape[1], latents.shape[2])
    var tokens = Tensor(uninitialized: [height / 2 * (width / 2), 4 * channels])
    latents.withUnsafeElements { source in
      tokens.withUnsafeMutableElements { target in
        forEachElement(channels: channels, height: height, width: width) { target[$0] = source[$1] }
      }
    }
    return tokens
  }

  /// `[rows · columns, 4 channels]` → `[channels, 2 rows, 2 columns]`
  public static func unpack(_ tokens: Tensor, rows: Int, columns: Int) -> Tensor {
    precondition(tokens.rows == rows * columns && tokens.columns % 4 == 0, "\(tokens.shape) is no grid of patches")
    let channels = tokens.columns / 4
    var latents = Tensor(uninitialized: [channels, 2 * rows, 2 * columns])
    tokens.withUnsafeElements { source in
      latents.withUnsafeMutableElements { target in
        forEachElement(channels: channels, height: 2 * rows, width: 2 * columns) { target[$1] = source[$0] }
      }
    }
    return latents
  }

  /// Calls `body` with the places of each element: packed, then unpacked.
  private static func forEachElement(channels: Int, height: Int, width: Int, _ body: (Int, Int) -> Void) {
    for channel in 0..<channels {
      for y in 0..<height {
        for x in 0..<width {
          let token = y / 2 * (width / 2) + x / 2
          body((token * channels + channel) * 4 + y % 2 * 2 + x % 2, (channel * height + y) * width + x)
        }
      }
    }
  }
}
