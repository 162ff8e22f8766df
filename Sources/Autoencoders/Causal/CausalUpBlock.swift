import Tensors

/// The residual blocks at one resolution and, but for the last, the upsampling to the next
/// (diffusers: `HunyuanVideoUpBlock3D`).
struct CausalUpBlock: Sendable {
  private let resnets: [CausalResidualBlock]
  private let upsampling: CausalUpsampling?

  /// - Parameter frameFactor: see ``CausalUpsampling``; nil for a block that changes no size.
  init(
    _ parameters: Parameters, inputs: Int, outputs: Int, layers: Int, groups: Int, frameFactor: Int?
  ) throws {
    resnets = try (0..<layers).map { index in
      try CausalResidualBlock(
        parameters.module("resnets.\(index)"), inputs: index == 0 ? inputs : outputs, outputs: outputs, groups: groups)
    }
    upsampling = try frameFactor.map { factor in
      try CausalUpsampling(parameters.module("upsamplers.0"), channels: outputs, frameFactor: factor)
    }
  }

  var weightBytes: Int { resnets.reduce(upsampling?.weightBytes ?? 0) { $0 + $1.weightBytes } }

  /// x: `[frames, height, width, inputs]`
  func callAsFunction(_ x: inout Tensor) throws {
    for resnet in resnets {
      try Task.checkCancellation()
      resnet(&x)
    }
    if let upsampling {
      try Task.checkCancellation()
      x = upsampling(x)
    }
  }
}
