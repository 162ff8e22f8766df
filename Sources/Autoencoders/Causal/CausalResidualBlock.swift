import Tensors

/// x + conv(silu(norm(conv(silu(norm(x)))))), with a 1×1×1 convolution beside it where the channels change
/// (diffusers: `HunyuanVideoResnetBlockCausal3D`).
struct CausalResidualBlock: Sendable {
  private let norm1: GroupNorm
  private let conv1: CausalConvolution
  private let norm2: GroupNorm
  private let conv2: CausalConvolution
  private let shortcut: CausalConvolution?

  init(_ parameters: Parameters, inputs: Int, outputs: Int, groups: Int) throws {
    norm1 = try GroupNorm(parameters.module("norm1"), channels: inputs, groups: groups)
    conv1 = try CausalConvolution(parameters.module("conv1.conv"), inputs: inputs, outputs: outputs)
    norm2 = try GroupNorm(parameters.module("norm2"), channels: outputs, groups: groups)
    conv2 = try CausalConvolution(parameters.module("conv2.conv"), inputs: outputs, outputs: outputs)
    shortcut =
      inputs == outputs
      ? nil
      : try CausalConvolution(parameters.module("conv_shortcut.conv"), inputs: inputs, outputs: outputs, .pointwise)
  }

  var weightBytes: Int { conv1.weightBytes + conv2.weightBytes + (shortcut?.weightBytes ?? 0) }

  /// x: `[frames, height, width, inputs]` → `[frames, height, width, outputs]`
  func callAsFunction(_ x: inout Tensor) {
    var h = conv1(norm1.coefficients(of: x)(x, activated: true))  // `[frames, height, width, outputs]`
    if let shortcut { x = shortcut(x) }
    h = norm2.coefficients(of: h)(h, activated: true)
    x += conv2(h)
  }
}
