import CKernels
import Tensors

extension ConvolutionTile {
  /// Winograd's F(2 × 2, 3 × 3): each window of 4×4 pixels becomes 16 components, each component is multiplied by its own
  /// matrix of weights, and four pixels are made of the 16 products (Lavin and Gray, 2015). All factors of pixels are
  /// ±1, so that this is about as exact as the sum of nine products.
  ///
  /// - Parameters:
  ///   - rectangles: padded ones, of which each has components of its own in the weights; their sums are the result.
  func convolveByWinograd(
    _ rectangles: [UnsafePointer<Float>], _ weights: ConvolutionWeights, _ target: ConvolutionTarget
  ) {
    let panelWidth = Int(CLUSCA_CHANNELS)
    let (down, across) = (evenHeight / 2, evenWidth / 2)
    let windows = down * across
    let capacity = rectangles.count * Self.components * windows * channels
    withUnsafeTemporaryAllocation(of: Float.self, capacity: capacity) { transformed in
      let transformed = transformed.baseAddress!
      for (index, rectangle) in rectangles.enumerated() {
        for row in 0..<down {
          kernels.winograd_input(
            rectangle + 2 * row * paddedWidth * channels, paddedWidth * channels, across, channels,
            transformed + (index * Self.components * windows + row * across) * channels, windows * channels)
        }
      }
      multiply(transformed, rectangles.count, windows: windows, weights, outputs: target.channels) { first, products in
        withUnsafeTemporaryAllocation(of: Float.self, capacity: evenHeight * evenWidth * panelWidth) { sums in
          let sums = sums.baseAddress!
          for row in 0..<down {
            kernels.winograd_output(
              products + row * across * panelWidth, windows * panelWidth, across,
              sums + 2 * row * evenWidth * panelWidth, evenWidth)
          }
          target.store(sums, firstChannel: first, height: height, width: width, sumsPerRow: evenWidth)
        }
      }
    }
  }

  private static let components = 16

  /// `[rectangles, 16, windows, channels]` → for each 16 outputs `[16, windows, 16]`
  private func multiply(
    _ transformed: UnsafePointer<Float>, _ rectangles: Int, windows: Int, _ weights: ConvolutionWeights, outputs: Int,
    _ body: (_ firstOutput: Int, _ products: UnsafePointer<Float>) -> Void
  ) {
    let (panelWidth, components) = (Int(CLUSCA_CHANNELS), Self.components)
    withUnsafeTemporaryAllocation(of: UnsafePointer<Float>?.self, capacity: components * windows) { places in
      for index in 0..<components * windows { places[index] = transformed + index * channels }
      withUnsafeTemporaryAllocation(of: Float.self, capacity: components * windows * panelWidth) { products in
        weights.packed.withUnsafeElements { packed in
          // A component of one rectangle lies so far behind that of the one before.
          let taps = (0..<rectangles).map { $0 * components * windows * channels }
          for first in stride(from: 0, to: outputs, by: panelWidth) {
            for component in 0..<components {
              kernels.convolve(
                UnsafePointer(places.baseAddress! + component * windows), windows, taps, taps.count, channels,
                packed.baseAddress! + (first * components + component * panelWidth) * rectangles * channels,
                products.baseAddress! + component * windows * panelWidth)
            }
            body(first, UnsafePointer(products.baseAddress!))
          }
        }
      }
    }
  }
}
