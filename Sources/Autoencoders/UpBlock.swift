import Tensors

/// The residual blocks at one resolution and, but for the last, the doubling to the next (diffusers: `UpDecoderBlock2D`).
struct UpBlock: Sendable {
  private let resnets: [ResidualBlock]
  private let upsampler: Convolution?

  init(
    _ parameters: Parameters, inputs: Int, outputs: Int, layers: Int, groups: Int, doubles: Bool
  ) throws {
    resnets = try (0..<layers).map { index in
      try ResidualBlock(
        parameters.module("resnets.\(index)"), inputs: index == 0 ? inputs : outputs, outputs: outputs, groups: groups)
    }
    upsampler =
      doubles
      ? try Convolution(parameters.module("upsamplers.0.conv"), .doubling, inputs: outputs, outputs: outputs) : nil
  }

  var weightBytes: Int { resnets.reduce(upsampler?.weightBytes ?? 0) { $0 + $1.weightBytes } }

  /// `[height, width, inputs]` → `[2 · height, 2 · width, outputs]`, of the same size in the last block.
  func callAsFunction(_ x: inout Tensor, probe: PictureProbe?) throws {
    for (index, resnet) in resnets.enumerated() {
      try Task.checkCancellation()
      resnet(&x)
      probe?("resnets.\(index)", x)
    }
    if let upsampler {
      try Task.checkCancellation()
      x = upsampler(x)
      probe?("upsamplers.0", x)
    }
  }
}
