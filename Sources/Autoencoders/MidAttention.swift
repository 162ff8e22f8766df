import Tensors

/// Attention of every pixel to every pixel, one head, beside a residual (diffusers: the `Attention` of
/// `UNetMidBlock2D`).
package struct MidAttention: Sendable {
  private let norm: GroupNorm
  private let qkv: Linear
  private let projection: Linear

  package init(_ parameters: Parameters, channels: Int, groups: Int) throws {
    norm = try GroupNorm(parameters.module("group_norm"), channels: channels, groups: groups)
    qkv = try Linear(
      joining: ["to_q", "to_k", "to_v"].map { (parameters.module($0), channels) }, inputs: channels)
    projection = try Linear(parameters.module("to_out.0"), inputs: channels, outputs: channels)
  }

  var weightBytes: Int { qkv.weightBytes + projection.weightBytes }

  /// x: `[height, width, channels]`, or a video with frames before these
  package func callAsFunction(_ x: inout Tensor, visibility: Attention.Visibility = .all) {
    let (shape, channels) = (x.shape, x.columns)
    let pixels = norm.coefficients(of: x)(x).reshaped([x.rows, channels])
    // `[pixels, channels]`
    let attended = Attention(heads: 1, headWidth: channels)(qkv(pixels), visibility: visibility)
    x += projection(attended).reshaped(shape)
  }
}
