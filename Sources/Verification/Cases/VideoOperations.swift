import Autoencoders
import Tensors

/// The layers of HunyuanVideo's autoencoder that see no later frame.
enum VideoOperations {
  static func run(_ comparison: GoldenComparison) throws {
    let recorded = try comparison.input("vid.x", row: 0)  // [channels, frames, height, width]
    let (channels, frames) = (recorded.shape[0], recorded.shape[1])
    let (height, width) = (recorded.shape[2], recorded.shape[3])
    let video = recorded.reshaped([channels, frames * height * width]).transposed()
      .reshaped([frames, height, width, channels])
    let picture = video.rows(0..<height * width).reshaped([1, height, width, channels])

    let convolution = try CausalConvolution(
      comparison.parameters("causalconv").module("conv"), inputs: channels, outputs: channels * 3 / 2)
    let pairs = try CausalUpsampling(comparison.parameters("upcausal222"), channels: channels, frameFactor: 2)
    let single = try CausalUpsampling(comparison.parameters("upcausal122"), channels: channels, frameFactor: 1)
    for (suffix, x) in [("out", video), ("out_1frame", picture)] {
      comparison.check("causalconv.\(suffix)", planar(convolution(x)))
      comparison.check("upcausal222.\(suffix)", planar(pairs(x)))
      comparison.check("upcausal122.\(suffix)", planar(single(x)))
    }
    for name in comparison.recorded.names {
      // As in causal_mask_f3_hw2.
      let fields = name.split(separator: "_").map(String.init)
      guard fields.count == 4, name.hasPrefix("causal_mask_f"), fields[3].hasPrefix("hw"),
        let frames = Int(fields[2].dropFirst()), let pixels = Int(fields[3].dropFirst(2))
      else { continue }
      comparison.check(
        name, Attention.Visibility.causalGroups(of: pixels).bias(tokens: frames * pixels))
    }
  }

  /// `[frames, height, width, channels]` → `[channels, frames · height · width]`
  private static func planar(_ x: Tensor) -> Tensor { x.reshaped([x.rows, x.columns]).transposed() }
}
