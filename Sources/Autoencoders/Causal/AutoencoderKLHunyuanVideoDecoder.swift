import Tensors

/// The half of HunyuanVideo's causal autoencoder that turns latents into a video. Source of names and order:
/// `autoencoder_kl_hunyuan_video.py` of diffusers.
///
/// Sums are float32 whatever the weights' type. Videos inside are `[frames, height, width, channels]`; the bits do not
/// depend on the number of threads.
public struct AutoencoderKLHunyuanVideoDecoder: Sendable {
  public let configuration: AutoencoderKLHunyuanVideoConfiguration
  /// How videos are cut where they are decoded in tiles.
  public var tiles = VideoTiles()
  private let postQuantConvolution: CausalConvolution
  private let convIn: CausalConvolution
  private let midResnets: [CausalResidualBlock]
  private let midAttention: MidAttention?
  private let upBlocks: [CausalUpBlock]
  private let normOut: GroupNorm
  private let convOut: CausalConvolution

  /// Reads the parameters of a `vae` folder.
  ///
  /// - Throws: ``ParameterError`` for a tensor that is missing, has another shape or holds whole numbers.
  public init(_ configuration: AutoencoderKLHunyuanVideoConfiguration, _ parameters: Parameters) throws {
    let (channels, groups) = (Array(configuration.channels.reversed()), configuration.normGroups)
    let all = Parameters(parameters.source, prefix: parameters.prefix, precision: .float32)
    let decoder = all.module("decoder")
    self.configuration = configuration
    postQuantConvolution = try CausalConvolution(
      all.module("post_quant_conv"), inputs: configuration.latentChannels, outputs: configuration.latentChannels,
      .pointwise)
    convIn = try CausalConvolution(
      decoder.module("conv_in.conv"), inputs: configuration.latentChannels, outputs: channels[0])
    let mid = decoder.module("mid_block")
    midResnets = try (0..<2).map { index in
      try CausalResidualBlock(
        mid.module("resnets.\(index)"), inputs: channels[0], outputs: channels[0], groups: groups)
    }
    midAttention =
      configuration.hasMidAttention
      ? try MidAttention(mid.module("attentions.0"), channels: channels[0], groups: groups) : nil
    upBlocks = try channels.indices.map { index in
      try CausalUpBlock(
        decoder.module("up_blocks.\(index)"), inputs: channels[max(0, index - 1)], outputs: channels[index],
        layers: configuration.layersPerBlock + 1, groups: groups, frameFactor: configuration.frameFactor(ofBlock: index)
      )
    }
    normOut = try GroupNorm(
      decoder.module("conv_norm_out"), channels: configuration.channels[0], groups: groups)
    convOut = try CausalConvolution(
      decoder.module("conv_out.conv"), inputs: configuration.channels[0], outputs: configuration.outputChannels)
  }

  public var weightBytes: Int {
    postQuantConvolution.weightBytes + convIn.weightBytes + midResnets.reduce(0) { $0 + $1.weightBytes }
      + (midAttention?.weightBytes ?? 0) + upBlocks.reduce(0) { $0 + $1.weightBytes } + convOut.weightBytes
  }

  /// The latents of the diffusion model as the decoder takes them: divided by the scaling factor.
  public func unscaled(_ latents: Tensor) -> Tensor {
    let scaling = configuration.scalingFactor
    return Tensor(latents.elements.map { $0 / scaling }, shape: latents.shape)
  }

  /// Decodes a video. One of more than ``VideoTiles/latentFrames`` latent frames is always cut in time, as diffusers
  /// does.
  ///
  /// - Parameters:
  ///   - latents: unscaled, `[latent channels, latent frames, height, width]`
  ///   - tiling: when frames are cut into tiles, too. Tiles change them a little: each knows nothing of the others.
  ///   - probe: sees the modules of a video that is not cut.
  /// - Returns: `[frames, scale · height, scale · width, 3]`, in -1...1 and a little beyond
  /// - Throws: ``TensorError`` for latents of another shape; `CancellationError` between two blocks.
  public func decode(_ latents: Tensor, tiling: Tiling = .never, probe: Probe? = nil) throws -> Tensor {
    guard latents.shape.count == 4, latents.shape[0] == configuration.latentChannels, latents.count > 0 else {
      throw TensorError(
        tensor: "latents",
        reason: "have the shape \(latents.shape), but the autoencoder takes [\(configuration.latentChannels), frames, "
          + "height, width]")
    }
    guard tiles.fitsFrames(configuration) else {
      throw TensorError(
        tensor: "latents",
        reason: "cannot be cut into stretches of \(tiles.frames) frames that begin every \(tiles.frameStride)")
    }
    let (channels, places) = (latents.shape[0], latents.count / latents.shape[0])
    let z = latents.reshaped([channels, places]).transposed().reshaped(latents.shape.dropFirst() + [channels])
    let video = try tiles.decode(z, tiling, configuration) { tile, isWhole in
      try decode(tile: tile, probe: isWhole ? probe.map(VideoProbe.init) : nil)
    }
    if let probe { VideoProbe(probe)("out", video) }
    return video
  }

  /// `[frames, height, width, latent channels]` → `[frames, scale · height, scale · width, 3]`
  private func decode(tile z: Tensor, probe: VideoProbe?) throws -> Tensor {
    let decoder = probe?.module("decoder")
    var x = postQuantConvolution(z)
    probe?("post_quant_conv", x)
    x = convIn(x)  // `[frames, height, width, last of channels]`
    decoder?("conv_in", x)

    let mid = decoder?.module("mid_block")
    for (index, resnet) in midResnets.enumerated() {
      try Task.checkCancellation()
      resnet(&x)
      mid?("resnets.\(index)", x)
      if index == 0, let midAttention {
        try Task.checkCancellation()
        midAttention(&x, visibility: .causalGroups(of: x.shape[1] * x.shape[2]))
        mid?.pixels("attentions.0", x)
      }
    }
    decoder?("mid_block", x)
    for (index, block) in upBlocks.enumerated() {
      try block(&x)  // twice as high and wide, but for the last; and some twice as long
      decoder?("up_blocks.\(index)", x)
    }
    try Task.checkCancellation()
    return convOut(normOut.coefficients(of: x)(x, activated: true))  // `[frames, scale · height, scale · width, 3]`
  }
}
