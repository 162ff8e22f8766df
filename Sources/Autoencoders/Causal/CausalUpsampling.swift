import Tensors

/// Repeats pixels and frames, the first frame only as a picture, with a convolution behind
/// (diffusers: `HunyuanVideoUpsampleCausal3D`).
package struct CausalUpsampling: Sendable {
  private let frameFactor: Int
  private let convolution: CausalConvolution

  package var weightBytes: Int { convolution.weightBytes }

  /// - Parameter frameFactor: how often every frame but the first stands in the result; pixels stand twice each way.
  package init(_ parameters: Parameters, channels: Int, frameFactor: Int) throws {
    self.frameFactor = frameFactor
    convolution = try CausalConvolution(parameters.module("conv.conv"), inputs: channels, outputs: channels)
  }

  /// `[frames, height, width, channels]` → `[1 + (frames − 1) · frameFactor, 2 · height, 2 · width, channels]`
  package func callAsFunction(_ x: Tensor) -> Tensor { convolution(repeated(x)) }

  private func repeated(_ x: Tensor) -> Tensor {
    let (frames, height, width, channels) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
    let newFrames = 1 + (frames - 1) * frameFactor
    var y = Tensor(uninitialized: [newFrames, 2 * height, 2 * width, channels])
    x.withUnsafeElements { source in
      y.withUnsafeMutableElements { target in
        guard let source = source.baseAddress, let target = target.baseAddress else { return }
        Tensor.forEachRowRange(rows: newFrames * 2 * height, columns: 2 * width * channels) { range in
          for line in range {
            let (frame, row) = (line / (2 * height), line % (2 * height))
            let seenFrame = frame == 0 ? 0 : 1 + (frame - 1) / frameFactor
            for column in 0..<2 * width {
              (target + (line * 2 * width + column) * channels).update(
                from: source + ((seenFrame * height + row / 2) * width + column / 2) * channels, count: channels)
            }
          }
        }
      }
    }
    return y
  }
}
