import CKernels
import Glibc

/// Rotary position embedding (RoFormer) of interleaved pairs, with several axes side by side in a head, as FLUX has it.
public struct RotaryEmbedding: Sendable {
  /// `[tokens, pairs]`
  public let cosine: Tensor
  /// `[tokens, pairs]`
  public let sine: Tensor

  /// - Parameters:
  ///   - positions: for each token its position on each axis.
  ///   - axes: how many of a head's dimensions each axis takes; even numbers.
  ///   - theta: the base of the frequencies theta^(-2i/d).
  ///   - frequenciesInFloat64: FLUX forms the angles in double precision, HunyuanVideo in single.
  public init(positions: [[Float]], axes: [Int], theta: Double, frequenciesInFloat64: Bool = true) {
    let pairs = axes.reduce(0) { $0 + $1 / 2 }
    var cosine = Tensor(uninitialized: [positions.count, pairs])
    var sine = cosine
    var firstPair = 0
    for (axis, dimensions) in axes.enumerated() {
      for pair in 0..<dimensions / 2 {
        let frequency = 1 / pow(theta, Double(2 * pair) / Double(dimensions))
        let frequency32 = 1 / powf(Float(theta), Float(2 * pair) / Float(dimensions))
        for (token, position) in positions.enumerated() {
          let angle =
            frequenciesInFloat64 ? Double(position[axis]) * frequency : Double(position[axis] * frequency32)
          cosine[token * pairs + firstPair + pair] = Float(cos(angle))
          sine[token * pairs + firstPair + pair] = Float(sin(angle))
        }
      }
      firstPair += dimensions / 2
    }
    self.cosine = cosine
    self.sine = sine
  }

  /// Rotates `heads` heads of each row from `firstColumn` on, in place; row r takes the angles of token r.
  public func apply(to x: inout Tensor, firstColumn: Int, heads: Int) {
    let (stride, pairs, rows) = (x.columns, cosine.columns, cosine.rows)
    precondition(x.rows == rows && firstColumn + heads * pairs * 2 <= stride, "outside of \(x.shape)")
    Tensor.withElements(cosine, sine) { cosine, sine in
      x.withUnsafeMutableElements { x in
        guard let start = x.baseAddress, let cosine, let sine else { return }
        Tensor.forEachRowRange(rows: rows, columns: heads * pairs * 2) { range in
          let row = range.lowerBound
          kernels.rotate_pairs(
            start + row * stride + firstColumn, stride, range.count, heads, pairs * 2, cosine + row * pairs,
            sine + row * pairs)
        }
      }
    }
  }
}
