import Tensors

/// x + conv(silu(norm(conv(silu(norm(x)))))), with a 1×1 convolution beside it where the channels change
/// (diffusers: `ResnetBlock2D` without a time embedding).
package struct ResidualBlock: Sendable {
  private let norm1: GroupNorm
  private let conv1: Convolution
  private let norm2: GroupNorm
  private let conv2: Convolution
  private let shortcut: Convolution?

  package init(_ parameters: Parameters, inputs: Int, outputs: Int, groups: Int) throws {
    norm1 = try GroupNorm(parameters.module("norm1"), channels: inputs, groups: groups)
    conv1 = try Convolution(parameters.module("conv1"), .square, inputs: inputs, outputs: outputs)
    norm2 = try GroupNorm(parameters.module("norm2"), channels: outputs, groups: groups)
    conv2 = try Convolution(parameters.module("conv2"), .square, inputs: outputs, outputs: outputs)
    shortcut =
      inputs == outputs
      ? nil : try Convolution(parameters.module("conv_shortcut"), .pointwise, inputs: inputs, outputs: outputs)
  }

  var weightBytes: Int { conv1.weightBytes + conv2.weightBytes + (shortcut?.weightBytes ?? 0) }

  /// x: `[height, width, inputs]` → `[height, width, outputs]`, in place where the channels are equal.
  package func callAsFunction(_ x: inout Tensor) {
    let h = conv1(x, after: norm1.coefficients(of: x))  // `[height, width, outputs]`
    if let shortcut { x = shortcut(x) }
    conv2.add(h, after: norm2.coefficients(of: h), to: &x)
  }
}
