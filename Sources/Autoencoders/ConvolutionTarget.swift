import CKernels
import Tensors

/// Where the results of a convolution's tile go.
struct ConvolutionTarget {
  /// The first channel of the tile's first pixel.
  let y: UnsafeMutablePointer<Float>
  let rowStride: Int
  let pixelStride: Int
  let channels: Int
  let bias: UnsafePointer<Float>
  /// Whether to add to what is there.
  let adding: Bool

  /// Stores up to 16 channels of each pixel. sums: `[height, sumsPerRow, 16]`, of which `width` of a row count.
  func store(_ sums: UnsafePointer<Float>, firstChannel: Int, height: Int, width: Int, sumsPerRow: Int) {
    let panelWidth = Int(CLUSCA_CHANNELS)
    for row in 0..<height {
      kernels.store_channels(
        sums + row * sumsPerRow * panelWidth, width, min(panelWidth, channels - firstChannel), bias + firstChannel,
        y + row * rowStride + firstChannel, pixelStride, adding ? 1 : 0)
    }
  }
}
