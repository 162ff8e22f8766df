import Tensors

/// The architecture of an image autoencoder: the keys of diffusers' `AutoencoderKL`.
public struct AutoencoderKLConfiguration: Sendable, Hashable {
  public var latentChannels: Int
  public var outputChannels: Int
  /// Channels at each resolution, finest first.
  public var channels: [Int]
  /// Residual blocks at each resolution of the encoder; the decoder has one more.
  public var layersPerBlock: Int
  public var normGroups: Int
  public var hasMidAttention: Bool
  public var hasPostQuantConvolution: Bool
  /// What latents of the diffusion model are divided by before they are decoded.
  public var scalingFactor: Float
  /// What is added to them then.
  public var shiftFactor: Float
  /// The side of a picture of the training, which is the side of a tile of tiled decoding.
  public var sampleSize: Int

  /// Pixels to a latent, along a side.
  public var scale: Int { 1 << (channels.count - 1) }

  /// FLUX.1's, for files that come without a configuration, such as `ae.safetensors`.
  public static let flux = AutoencoderKLConfiguration(
    latentChannels: 16, outputChannels: 3, channels: [128, 256, 512, 512], layersPerBlock: 2, normGroups: 32,
    hasMidAttention: true, hasPostQuantConvolution: false, scalingFactor: 0.3611, shiftFactor: 0.1159,
    sampleSize: 1024)

  public init(
    latentChannels: Int, outputChannels: Int, channels: [Int], layersPerBlock: Int, normGroups: Int,
    hasMidAttention: Bool, hasPostQuantConvolution: Bool, scalingFactor: Float, shiftFactor: Float, sampleSize: Int
  ) {
    precondition(channels.allSatisfy { $0 % normGroups == 0 }, "\(normGroups) groups cannot share \(channels)")
    self.latentChannels = latentChannels
    self.outputChannels = outputChannels
    self.channels = channels
    self.layersPerBlock = layersPerBlock
    self.normGroups = normGroups
    self.hasMidAttention = hasMidAttention
    self.hasPostQuantConvolution = hasPostQuantConvolution
    self.scalingFactor = scalingFactor
    self.shiftFactor = shiftFactor
    self.sampleSize = sampleSize
  }

  /// Reads a `config.json`; the defaults are those of diffusers. `force_upcast` has no meaning here: sums are float32.
  ///
  /// - Throws: ``FileError`` that names file and key.
  public init(_ configuration: PartConfiguration) throws {
    try configuration.require("_class_name", "AutoencoderKL")
    try configuration.require("act_fn", "silu")
    for key in ["latents_mean", "latents_std"] where configuration.contains(key) {
      throw configuration.error(key, "is given, but only scaling_factor and shift_factor are supported")
    }
    latentChannels = try configuration.integer("latent_channels", default: 4, in: 1...4096)
    outputChannels = try configuration.integer("out_channels", default: 3, in: 1...64)
    channels = try configuration.integers("block_out_channels", default: [64], in: 1...1 << 14)
    layersPerBlock = try configuration.integer("layers_per_block", default: 1, in: 0...64)
    normGroups = try configuration.integer("norm_num_groups", default: 32, in: 1...1 << 14)
    hasMidAttention = try configuration.bool("mid_block_add_attention", default: true)
    hasPostQuantConvolution = try configuration.bool("use_post_quant_conv", default: true)
    scalingFactor = try configuration.scalingFactor(default: 0.18215)
    shiftFactor = Float(try configuration.number("shift_factor", default: 0, in: -1e6...1e6))
    sampleSize =
      configuration.json["sample_size"]?.array == nil
      ? try configuration.integer("sample_size", default: 32, in: 1...1 << 16)
      : try configuration.integers("sample_size", in: 1...1 << 16)[0]
    // Each block doubles the size, so that some ten of them are more than any picture needs.
    guard channels.count <= 10 else { throw configuration.error("block_out_channels", "has more than 10 entries") }
    guard channels.allSatisfy({ $0 % normGroups == 0 }) else {
      throw configuration.error("norm_num_groups", "must divide every number of block_out_channels, \(channels)")
    }
    if let types = configuration.json["up_block_types"]?.array {
      guard types.count == channels.count, types.allSatisfy({ $0.string == "UpDecoderBlock2D" }) else {
        throw configuration.error(
          "up_block_types", "must be \(channels.count) times UpDecoderBlock2D; no other block is supported")
      }
    }
  }
}
