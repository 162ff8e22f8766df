import Tensors

/// Image tokens: patches of latents, 2 × 2 unless told otherwise, their numbers ordered (channel, row, column).
public enum LatentPacking {
  /// `[channels, patch · rows, patch · columns]` → `[rows · columns, patch² · channels]`; the patch divides height and
  /// width.
  public static func pack(_ latents: Tensor, patch: Int = 2) -> Tensor {
    let (channels, height, width) = (latents.shape[0], latents.shape[1], latents.shape[2])
    var tokens = Tensor(uninitialized: [height / patch * (width / patch), patch * patch * channels])
    latents.withUnsafeElements { source in
      tokens.withUnsafeMutableElements { target in
        forEachElement(channels: channels, height: height, width: width, patch) { target[$0] = source[$1] }
      }
    }
    return tokens
  }

  /// `[rows · columns, patch² · channels]` → `[channels, patch · rows, patch · columns]`
  public static func unpack(_ tokens: Tensor, rows: Int, columns: Int, patch: Int = 2) -> Tensor {
    let area = patch * patch
    precondition(tokens.rows == rows * columns && tokens.columns % area == 0, "\(tokens.shape) is no grid of patches")
    let channels = tokens.columns / area
    var latents = Tensor(uninitialized: [channels, patch * rows, patch * columns])
    tokens.withUnsafeElements { source in
      latents.withUnsafeMutableElements { target in
        forEachElement(channels: channels, height: patch * rows, width: patch * columns, patch) {
          target[$1] = source[$0]
        }
      }
    }
    return latents
  }

  /// Packed noise of a shape `[channels, height, width]`: the first of so many rows that torch draws at once.
  static func noise(
    _ shape: [Int], rows: Int, _ generator: inout TorchGenerator, _ format: NoiseFormat, patch: Int = 2
  ) -> Tensor {
    let count = shape.reduce(1, *)
    return pack(Tensor(generator.randn(rows * count, as: format)[..<count], shape: shape), patch: patch)
  }

  /// Calls `body` with the places of each element: packed, then unpacked.
  private static func forEachElement(
    channels: Int, height: Int, width: Int, _ patch: Int, _ body: (Int, Int) -> Void
  ) {
    for channel in 0..<channels {
      for y in 0..<height {
        for x in 0..<width {
          let token = y / patch * (width / patch) + x / patch
          let place = y % patch * patch + x % patch
          body((token * channels + channel) * patch * patch + place, (channel * height + y) * width + x)
        }
      }
    }
  }
}
