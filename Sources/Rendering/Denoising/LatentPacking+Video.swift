import Tensors
import Transformers

/// Tokens of a video: those of each latent frame, one frame after the other.
extension LatentPacking {
  /// `[channels, frames, patch · rows, patch · columns]` → `[frames · rows · columns, patch² · channels]`
  public static func pack(video: Tensor, patch: Int = 2) -> Tensor {
    let (frames, area) = (video.shape[1], video.shape[2] * video.shape[3])
    let channels = video.reshaped([video.shape[0], frames * area])
    return Tensor.concatenated(
      rows: (0..<frames).map { frame in
        pack(
          channels.columns(frame * area..<(frame + 1) * area)
            .reshaped([video.shape[0], video.shape[2], video.shape[3]]), patch: patch)
      })
  }

  /// `[frames · rows · columns, patch² · channels]` → `[channels, frames, patch · rows, patch · columns]`
  public static func unpack(video tokens: Tensor, _ grid: TokenGrid, patch: Int = 2) -> Tensor {
    precondition(tokens.rows == grid.tokens, "\(tokens.shape) is no video of \(grid.tokens) tokens")
    let perFrame = grid.rows * grid.columns
    let frames = (0..<grid.frames).map { frame in
      unpack(
        tokens.rows(frame * perFrame..<(frame + 1) * perFrame), rows: grid.rows, columns: grid.columns, patch: patch)
    }
    let (channels, height, width) = (frames[0].shape[0], frames[0].shape[1], frames[0].shape[2])
    let planes = (0..<channels).flatMap { channel in
      frames.map { $0.rows(channel * height..<(channel + 1) * height) }
    }
    return Tensor.concatenated(rows: planes).reshaped([channels, grid.frames, height, width])
  }
}
