import StrictJSON
import Tensors

/// The architecture of a video autoencoder: the keys of diffusers' `AutoencoderKLHunyuanVideo`.
public struct AutoencoderKLHunyuanVideoConfiguration: Sendable, Hashable {
  public var latentChannels: Int
  public var outputChannels: Int
  /// Channels at each resolution, finest first; three resolutions at least.
  public var channels: [Int]
  /// Residual blocks at each resolution of the encoder; the decoder has one more.
  public var layersPerBlock: Int
  public var normGroups: Int
  public var hasMidAttention: Bool
  /// What latents of the diffusion model are divided by before they are decoded.
  public var scalingFactor: Float

  /// Pixels to a latent, along a side.
  public var scale: Int { 1 << (channels.count - 1) }
  /// Frames to a latent, but for the first frame, which has a latent of its own.
  public let frameScale = 4

  /// Reads a `config.json`; the defaults are those of diffusers.
  ///
  /// - Throws: ``FileError`` that names file and key.
  public init(_ configuration: PartConfiguration) throws {
    try configuration.require("_class_name", "AutoencoderKLHunyuanVideo")
    try configuration.require("act_fn", "silu")
    try configuration.require("temporal_compression_ratio", 4)
    latentChannels = try configuration.integer("latent_channels", default: 16, in: 1...4096)
    outputChannels = try configuration.integer("out_channels", default: 3, in: 1...64)
    channels = try configuration.integers("block_out_channels", default: [128, 256, 512, 512], in: 1...1 << 14)
    layersPerBlock = try configuration.integer("layers_per_block", default: 2, in: 0...64)
    normGroups = try configuration.integer("norm_num_groups", default: 32, in: 1...1 << 14)
    hasMidAttention = try configuration.bool("mid_block_add_attention", default: true)
    scalingFactor = try configuration.scalingFactor(default: 0.476986)
    guard (3...10).contains(channels.count) else {
      throw configuration.error("block_out_channels", "must have 3 to 10 entries, not \(channels.count)")
    }
    guard channels.allSatisfy({ $0 % normGroups == 0 }) else {
      throw configuration.error("norm_num_groups", "must divide every number of block_out_channels, \(channels)")
    }
    // Each block but the last doubles the size; where it did not, the blocks of frames would be others too.
    let ratio = try configuration.integer("spatial_compression_ratio", default: 8, in: 1...1 << 16)
    guard ratio == 1 << (channels.count - 1) else {
      throw configuration.error(
        "spatial_compression_ratio",
        "is \(ratio), but only \(1 << (channels.count - 1)) is supported for "
          + "\(channels.count) entries of block_out_channels")
    }
    if let types = configuration.json["up_block_types"]?.array {
      guard types.count == channels.count, types.allSatisfy({ $0.string == "HunyuanVideoUpBlock3D" }) else {
        throw configuration.error(
          "up_block_types", "must be \(channels.count) times HunyuanVideoUpBlock3D; no other block is supported")
      }
    }
  }

  /// How often a block of the decoder, from the coarsest on, repeats every frame but the first; nil for the last block,
  /// which changes no size.
  func frameFactor(ofBlock index: Int) -> Int? {
    index == channels.count - 1 ? nil : index >= channels.count - 3 ? 2 : 1
  }

  /// The frames that so many latents stand for, one after the other.
  public func frames(ofLatents latents: Int) -> Int { (latents - 1) * frameScale + 1 }
}
