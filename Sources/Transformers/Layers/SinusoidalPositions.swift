import Glibc
import Tensors

/// Fixed embeddings of places in a picture, which DiT adds to its tokens
/// (diffusers: `get_2d_sincos_pos_embed` for a grid of the size that the model was trained on).
public enum SinusoidalPositions {
  /// `[rows · columns, width]`: sines and cosines of the column, then those of the row, in quarters of the width, at the
  /// frequencies 10000^(−i / (width / 4)). Formed in double precision.
  public static func embedding(rows: Int, columns: Int, width: Int) -> Tensor {
    precondition(width % 4 == 0, "the width is shared by four parts")
    let quarter = width / 4
    let frequencies = (0..<quarter).map { 1 / pow(10000, Double($0) / Double(quarter)) }
    var embedding = Tensor(uninitialized: [rows * columns, width])
    embedding.withUnsafeMutableElements { target in
      for token in 0..<rows * columns {
        for (axis, place) in [token % columns, token / columns].enumerated() {
          for (index, frequency) in frequencies.enumerated() {
            let first = token * width + axis * 2 * quarter + index
            target[first] = Float(sin(Double(place) * frequency))
            target[first + quarter] = Float(cos(Double(place) * frequency))
          }
        }
      }
    }
    return embedding
  }
}
