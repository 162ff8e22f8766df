import Tensors

/// The half of a variational autoencoder that turns latents into a picture: FLUX's, and any other of diffusers'
/// `AutoencoderKL`. Source of names and order: `vae.py`, `unet_2d_blocks.py` and `autoencoder_kl.py` of diffusers.
///
/// Sums are float32 whatever the weights' type: a decoder is bound by arithmetic, not by the size of its weights.
/// Pictures inside are `[height, width, channels]`; the bits do not depend on the number of threads.
public struct AutoencoderKLDecoder: Sendable {
  public let configuration: AutoencoderKLConfiguration
  /// How pictures are cut where they are decoded in tiles.
  public var tiles: LatentTiles
  private let postQuantConvolution: Convolution?
  private let convIn: Convolution
  private let midResnets: [ResidualBlock]
  private let midAttention: MidAttention?
  private let upBlocks: [UpBlock]
  private let normOut: GroupNorm
  private let convOut: Convolution

  /// Reads the parameters of a `vae` folder, old or new, or of a file such as `ae.safetensors`.
  ///
  /// - Throws: ``ParameterError`` for a tensor that is missing, has another shape or holds whole numbers.
  public init(_ configuration: AutoencoderKLConfiguration, _ parameters: Parameters) throws {
    let (channels, groups) = (Array(configuration.channels.reversed()), configuration.normGroups)
    let names = AutoencoderKLNames(parameters.source, blocks: channels.count)
    let all = Parameters(names, prefix: parameters.prefix, precision: .float32)
    let decoder = all.module("decoder")
    self.configuration = configuration
    tiles = LatentTiles(configuration)
    postQuantConvolution =
      configuration.hasPostQuantConvolution
      ? try Convolution(
        all.module("post_quant_conv"), .pointwise, inputs: configuration.latentChannels,
        outputs: configuration.latentChannels) : nil
    convIn = try Convolution(
      decoder.module("conv_in"), .square, inputs: configuration.latentChannels, outputs: channels[0])
    let mid = decoder.module("mid_block")
    midResnets = try (0..<2).map { index in
      try ResidualBlock(mid.module("resnets.\(index)"), inputs: channels[0], outputs: channels[0], groups: groups)
    }
    midAttention =
      configuration.hasMidAttention
      ? try MidAttention(mid.module("attentions.0"), channels: channels[0], groups: groups) : nil
    upBlocks = try channels.indices.map { index in
      try UpBlock(
        decoder.module("up_blocks.\(index)"), inputs: channels[max(0, index - 1)], outputs: channels[index],
        layers: configuration.layersPerBlock + 1, groups: groups, doubles: index < channels.count - 1)
    }
    normOut = try GroupNorm(
      decoder.module("conv_norm_out"), channels: configuration.channels[0], groups: groups)
    convOut = try Convolution(
      decoder.module("conv_out"), .square, inputs: configuration.channels[0], outputs: configuration.outputChannels)
  }

  public var weightBytes: Int {
    (postQuantConvolution?.weightBytes ?? 0) + convIn.weightBytes + midResnets.reduce(0) { $0 + $1.weightBytes }
      + (midAttention?.weightBytes ?? 0) + upBlocks.reduce(0) { $0 + $1.weightBytes } + convOut.weightBytes
  }

  /// The latents of the diffusion model as the decoder takes them: divided by the scaling factor, then shifted.
  public func unscaled(_ latents: Tensor) -> Tensor {
    let (scaling, shift) = (configuration.scalingFactor, configuration.shiftFactor)
    return Tensor(latents.elements.map { $0 / scaling + shift }, shape: latents.shape)
  }

  /// Decodes pictures one after the other.
  ///
  /// - Parameters:
  ///   - latents: unscaled, `[pictures, latent channels, height, width]`
  ///   - tiling: when pictures are cut. Tiles change them a little: each knows nothing of the others.
  ///   - probe: sees the modules of each picture that is not cut.
  /// - Returns: `[pictures, 3, scale · height, scale · width]`, in -1...1 and a little beyond
  /// - Throws: ``TensorError`` for latents of another shape; `CancellationError` between two blocks.
  public func decode(_ latents: Tensor, tiling: Tiling = .never, probe: Probe? = nil) throws -> Tensor {
    guard latents.shape.count == 4, latents.shape[1] == configuration.latentChannels, latents.count > 0 else {
      throw TensorError(
        tensor: "latents",
        reason: "have the shape \(latents.shape), but the autoencoder takes [pictures, "
          + "\(configuration.latentChannels), height, width]")
    }
    let (pictures, height, width) = (latents.shape[0], latents.shape[2], latents.shape[3])
    let (scale, channels) = (configuration.scale, configuration.outputChannels)
    let tiled = tiles(tiling, height: height, width: width, configuration)
    var result = Tensor(uninitialized: [pictures, channels, height * scale, width * scale])
    for picture in 0..<pictures {
      let z = latents.channelsLast(picture: picture)  // `[height, width, latent channels]`
      let decoded =
        tiled
        ? try tiles.decode(z, scale: scale, channels: channels) { try decode(one: $0, probe: nil) }
        : try decode(one: z, probe: probe.map(PictureProbe.init))
      result.replace(picture: picture, with: decoded.planar())
    }
    probe?("out", result)
    return result
  }

  /// `[height, width, latent channels]` → `[scale · height, scale · width, 3]`
  private func decode(one z: Tensor, probe: PictureProbe?) throws -> Tensor {
    let decoder = probe?.module("decoder")
    var x = z
    if let postQuantConvolution {
      x = postQuantConvolution(x)
      probe?("post_quant_conv", x)
    }
    x = convIn(x)  // `[height, width, last of channels]`
    decoder?("conv_in", x)

    let mid = decoder?.module("mid_block")
    for (index, resnet) in midResnets.enumerated() {
      try Task.checkCancellation()
      resnet(&x)
      mid?("resnets.\(index)", x)
      if index == 0, let midAttention {
        try Task.checkCancellation()
        midAttention(&x)
        mid?("attentions.0", x)
      }
    }
    decoder?("mid_block", x)
    for (index, block) in upBlocks.enumerated() {
      try block(&x, probe: decoder?.module("up_blocks.\(index)"))  // twice as high and wide, but for the last
      decoder?("up_blocks.\(index)", x)
    }
    try Task.checkCancellation()
    let coefficients = normOut.coefficients(of: x)
    if let decoder { decoder("conv_norm_out", coefficients(x)) }
    return convOut(x, after: coefficients)  // `[scale · height, scale · width, 3]`
  }
}

extension Tensor {
  /// Puts one picture into its place among several.
  fileprivate mutating func replace(picture index: Int, with picture: Tensor) {
    withUnsafeMutableElements { target in
      picture.withUnsafeElements { source in
        _ = target[index * source.count..<(index + 1) * source.count].update(fromContentsOf: source)
      }
    }
  }
}
