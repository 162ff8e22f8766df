import CKernels
import Tensors

/// Group normalization of a picture: each group of channels has one mean and one variance over all pixels.
///
/// It is a factor and a summand for each channel, once the picture's moments are known; the convolution that follows
/// applies them, with SiLU, as it gathers its pixels.
package struct GroupNorm: Sendable {
  private let groups: Int
  private let weight: Tensor
  private let bias: Tensor

  /// diffusers' autoencoder has this everywhere.
  private static let epsilon = 1e-6

  init(_ parameters: Parameters, channels: Int, groups: Int) throws {
    self.groups = groups
    weight = try parameters.tensor("weight", shape: [channels])
    bias = try parameters.tensor("bias", shape: [channels])
  }

  /// x ↦ x · scale + shift, for each channel.
  package struct Coefficients: Sendable {
    /// `[channels]`
    let scale: Tensor
    /// `[channels]`
    let shift: Tensor

    /// Applies them to a picture, with SiLU behind them if `activated`.
    func callAsFunction(_ x: Tensor, activated: Bool = false) -> Tensor {
      var y = Tensor(uninitialized: x.shape)
      let channels = x.columns
      Tensor.withElements(of: [x, scale, shift]) { inputs in
        y.withUnsafeMutableElements { y in
          guard let y = y.baseAddress else { return }
          Tensor.forEachRowRange(rows: x.rows, columns: channels) { range in
            let start = range.lowerBound * channels
            kernels.scale_shift(
              inputs[0] + start, y + start, range.count, channels, inputs[1], inputs[2],
              activated ? CLUSCA_SILU : CLUSCA_IDENTITY)
          }
        }
      }
      return y
    }
  }

  /// x: `[height, width, channels]`, or a video with frames before these, whose pixels all count together
  func coefficients(of x: Tensor) -> Coefficients {
    let channels = x.columns
    let moments = Self.moments(of: x)
    let perGroup = channels / groups
    let count = Double(x.rows * perGroup)
    var (scale, shift) = (Tensor(uninitialized: [channels]), Tensor(uninitialized: [channels]))
    for group in 0..<groups {
      let members = group * perGroup..<(group + 1) * perGroup
      let mean = members.reduce(0) { $0 + moments.sums[$1] } / count
      let square = members.reduce(0) { $0 + moments.squares[$1] } / count
      let inverse = 1 / (max(0, square - mean * mean) + Self.epsilon).squareRoot()
      for channel in members {
        let factor = Double(weight[channel]) * inverse
        scale[channel] = Float(factor)
        shift[channel] = Float(Double(bias[channel]) - mean * factor)
      }
    }
    return Coefficients(scale: scale, shift: shift)
  }

  /// Sums over all pixels: of pieces that depend on the size alone, added in their order.
  private static func moments(of x: Tensor) -> (sums: [Double], squares: [Double]) {
    let (rows, channels) = (x.rows, x.columns)
    let rowsPerPiece = max(1, Tensor.pieceElements / channels)
    let pieces = (rows + rowsPerPiece - 1) / rowsPerPiece
    var moments = [Double](repeating: 0, count: pieces * 2 * channels)
    x.withUnsafeElements { x in
      moments.withUnsafeMutableBufferPointer { moments in
        guard let x = x.baseAddress, let moments = moments.baseAddress else { return }
        ThreadPool.shared.forEach(pieces) { piece in
          let first = piece * rowsPerPiece
          let sums = moments + piece * 2 * channels
          kernels.column_moments(
            x + first * channels, min(rowsPerPiece, rows - first), channels, sums, sums + channels)
        }
      }
    }
    var total = [Double](repeating: 0, count: 2 * channels)
    for piece in 0..<pieces {
      for index in 0..<2 * channels { total[index] += moments[piece * 2 * channels + index] }
    }
    return (Array(total[..<channels]), Array(total[channels...]))
  }
}
