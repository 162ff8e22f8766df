import Autoencoders
import Tensors
import Transformers

/// Makes pixels of tokens that are patches of a video's latents.
struct VideoDecoder: LatentDecoder {
  let decoder: AutoencoderKLHunyuanVideoDecoder
  /// Latents along a side of a token.
  let patch: Int

  func decode(_ latents: Tensor, _ grid: TokenGrid, _ tiling: Tiling) throws -> Tensor {
    // [channels, latent frames, height, width]
    let unpacked = LatentPacking.unpack(video: latents, grid, patch: patch)
    return Pixels.unit(channelsLast: try decoder.decode(decoder.unscaled(unpacked), tiling: tiling))
  }
}
