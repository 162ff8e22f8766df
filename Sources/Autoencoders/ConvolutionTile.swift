import CKernels
import Tensors

/// A rectangle of a picture with the border that a convolution sees round it.
struct ConvolutionTile {
  let top: Int
  let left: Int
  let height: Int
  let width: Int
  let border: Int
  let channels: Int

  /// As wide as Winograd's windows, two pixels each, need it, should the width be odd; so is the height.
  var evenWidth: Int { border == 0 ? width : (width + 1) / 2 * 2 }
  var evenHeight: Int { border == 0 ? height : (height + 1) / 2 * 2 }
  var paddedWidth: Int { evenWidth + 2 * border }

  /// Pixels of the input that one piece of work covers: 192, a multiple of what any kernel takes at once, whose
  /// 512 channels fit the second-level cache. Every pixel is summed alone, so this changes no bits.
  private static let (mostRows, mostColumns) = (12, 16)

  /// The tiles of a picture.
  static func all(height: Int, width: Int, border: Int, channels: Int) -> [ConvolutionTile] {
    stride(from: 0, to: height, by: mostRows).flatMap { top in
      stride(from: 0, to: width, by: mostColumns).map { left in
        ConvolutionTile(
          top: top, left: left, height: min(mostRows, height - top), width: min(mostColumns, width - left),
          border: border, channels: channels)
      }
    }
  }

  /// The most memory that a thread takes for one of them, in so many frames.
  static func scratchBytes(inputs: Int, frames: Int = 1) -> Int {
    let pixels = mostRows * mostColumns
    let windows = frames * (mostRows + 2) * (mostColumns + 2) * inputs + pixels * Int(CLUSCA_CHANNELS)
    // Winograd's components: 16 for four pixels.
    let components = 4 * pixels * (frames * inputs + Int(CLUSCA_CHANNELS))
    return (windows + components) * MemoryLayout<Float>.stride
  }

  /// Gathers the rectangle and its border, through norm and SiLU if there are any; outside of the picture are zeros.
  /// `body` gets the first channel of each pixel of the rectangle, row by row.
  func withPixels(
    of x: UnsafePointer<Float>, height pictureHeight: Int, width pictureWidth: Int, scale: UnsafePointer<Float>?,
    shift: UnsafePointer<Float>?, _ body: (UnsafeBufferPointer<UnsafePointer<Float>?>) -> Void
  ) {
    let paddedHeight = evenHeight + 2 * border
    withUnsafeTemporaryAllocation(of: Float.self, capacity: paddedHeight * paddedWidth * channels) { padded in
      let padded = padded.baseAddress!
      let columns = max(0, left - border)..<min(pictureWidth, left + evenWidth + border)
      let zerosBefore = (columns.lowerBound - (left - border)) * channels
      let inside = columns.count * channels
      for row in 0..<paddedHeight {
        let target = padded + row * paddedWidth * channels
        let pictureRow = top - border + row
        guard pictureRow >= 0, pictureRow < pictureHeight else {
          target.update(repeating: 0, count: paddedWidth * channels)
          continue
        }
        let source = x + (pictureRow * pictureWidth + columns.lowerBound) * channels
        target.update(repeating: 0, count: zerosBefore)
        if let scale, let shift {
          kernels.scale_shift(source, target + zerosBefore, columns.count, channels, scale, shift, CLUSCA_SILU)
        } else {
          (target + zerosBefore).update(from: source, count: inside)
        }
        let end = zerosBefore + inside
        (target + end).update(repeating: 0, count: paddedWidth * channels - end)
      }
      withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: height * width) { pixels in
        for row in 0..<height {
          for column in 0..<width {
            pixels[row * width + column] = UnsafePointer(
              padded + ((row + border) * paddedWidth + column + border) * channels)
          }
        }
        body(UnsafeBufferPointer(pixels))
      }
    }
  }

  /// Writes all output channels of the rectangle's pixels, or adds to what is there.
  func convolve(
    _ pixels: UnsafeBufferPointer<UnsafePointer<Float>?>, _ weights: ConvolutionWeights, _ target: ConvolutionTarget
  ) {
    let panelWidth = Int(CLUSCA_CHANNELS)
    let taps = weights.taps.map { ($0.row * paddedWidth + $0.column) * channels }
    withUnsafeTemporaryAllocation(of: Float.self, capacity: pixels.count * panelWidth) { sums in
      let sums = sums.baseAddress!
      weights.packed.withUnsafeElements { packed in
        for first in stride(from: 0, to: target.channels, by: panelWidth) {
          kernels.convolve(
            pixels.baseAddress, pixels.count, taps, taps.count, channels,
            packed.baseAddress! + first * taps.count * channels, sums)
          target.store(sums, firstChannel: first, height: height, width: width, sumsPerRow: width)
        }
      }
    }
  }
}
