import Autoencoders
import Tensors
import Transformers

/// Makes pixels of tokens that are patches of latents, by an autoencoder of pictures.
struct PatchDecoder: LatentDecoder {
  let decoder: AutoencoderKLDecoder
  /// Latents along a side of a token.
  let patch: Int

  func decode(_ latents: Tensor, _ grid: TokenGrid, _ tiling: Tiling) throws -> Tensor {
    // [channels, height, width]
    let unpacked = LatentPacking.unpack(latents, rows: grid.rows, columns: grid.columns, patch: patch)
    let decoded = try decoder.decode(decoder.unscaled(unpacked.reshaped([1] + unpacked.shape)), tiling: tiling)
    return Pixels.unit(decoded)  // [1, height, width, 3]
  }
}
