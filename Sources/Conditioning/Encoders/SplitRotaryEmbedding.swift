import Glibc
import Tensors

/// Rotary position embedding whose pairs are an element of a head's first half and the one at the same place of its
/// second half, as Llama has it (`rotate_half`).
struct SplitRotaryEmbedding: Sendable {
  /// `[tokens, pairs]`
  private let cosine: Tensor
  private let sine: Tensor

  /// The angles position · theta^(−2i/d), formed in float32 as transformers does.
  init(tokens: Int, headWidth: Int, theta: Double) {
    let pairs = headWidth / 2
    var (cosine, sine) = (Tensor(uninitialized: [tokens, pairs]), Tensor(uninitialized: [tokens, pairs]))
    for pair in 0..<pairs {
      let frequency = 1 / powf(Float(theta), Float(2 * pair) / Float(headWidth))
      for token in 0..<tokens {
        let angle = Double(Float(token) * frequency)
        cosine[token * pairs + pair] = Float(cos(angle))
        sine[token * pairs + pair] = Float(sin(angle))
      }
    }
    self.cosine = cosine
    self.sine = sine
  }

  /// Turns the first `heads` heads of each row, in place.
  func apply(to x: inout Tensor, heads: Int) {
    let (pairs, stride, rows) = (cosine.columns, x.columns, x.rows)
    precondition(rows == cosine.rows && heads * 2 * pairs <= stride, "outside of \(x.shape)")
    Tensor.withElements(of: [cosine, sine]) { tables in
      x.withUnsafeMutableElements { x in
        guard let start = x.baseAddress else { return }
        Tensor.forEachRowRange(rows: rows, columns: heads * 2 * pairs) { range in
          for row in range {
            let (cosine, sine) = (tables[0] + row * pairs, tables[1] + row * pairs)
            for head in 0..<heads {
              let first = start + row * stride + head * 2 * pairs
              let second = first + pairs
              for pair in 0..<pairs {
                let (a, b) = (first[pair], second[pair])
                first[pair] = a * cosine[pair] - b * sine[pair]
                second[pair] = b * cosine[pair] + a * sine[pair]
              }
            }
          }
        }
      }
    }
  }
}
