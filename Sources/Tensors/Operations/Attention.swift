import CKernels

/// Softmax(q · kᵀ · scale + bias) · v for every head.
public struct Attention: Sendable {
  public let heads: Int
  /// Dimensions of a head.
  public let headWidth: Int
  /// The factor of the scores; 1/√headWidth unless told otherwise (T5 has 1).
  public let scale: Float

  /// Which keys a query sees.
  public enum Visibility: Sendable {
    case all
    /// Its own and earlier ones.
    case causal
    /// The first so many.
    case first(Int)
  }

  public init(heads: Int, headWidth: Int, scale: Float? = nil) {
    self.heads = heads
    self.headWidth = headWidth
    self.scale = scale ?? 1 / Float(headWidth).squareRoot()
  }

  /// Queries of one piece of work: enough to outweigh the copy of keys and values that OpenBLAS makes for each.
  package static let queriesPerPiece = 192

  /// - Parameters:
  ///   - qkv: `[tokens, 3 · heads · headWidth]`: queries, keys and values side by side.
  ///   - bias: added to the scaled scores, `[heads, tokens, tokens]`.
  /// - Returns: `[tokens, heads · headWidth]`
  public func callAsFunction(_ qkv: Tensor, visibility: Visibility = .all, bias: Tensor? = nil) -> Tensor {
    var result = Tensor(uninitialized: [qkv.rows, heads * headWidth])
    apply(qkv, visibility: visibility, bias: bias, to: &result)
    return result
  }

  /// Writes the result into the first `heads · headWidth` columns of a matrix with a row for each token.
  public func apply(_ qkv: Tensor, visibility: Visibility = .all, bias: Tensor? = nil, to result: inout Tensor) {
    let (tokens, width, stride) = (qkv.rows, heads * headWidth, result.columns)
    precondition(qkv.columns == 3 * width, "\(qkv.shape) does not hold q, k and v of \(heads) heads")
    precondition(result.rows == tokens && stride >= width, "no room in \(result.shape)")
    let blocks = (tokens + Self.queriesPerPiece - 1) / Self.queriesPerPiece
    Tensor.withElements(qkv, bias) { qkv, bias in
      result.withUnsafeMutableElements { result in
        guard let qkv, let out = result.baseAddress else { return }
        ThreadPool.shared.forEach(heads * blocks) { piece in
          let (head, first) = (piece / blocks, piece % blocks * Self.queriesPerPiece)
          let queries = min(Self.queriesPerPiece, tokens - first)
          let q = qkv + first * 3 * width + head * headWidth
          let k = qkv + width + head * headWidth
          let v = qkv + 2 * width + head * headWidth
          withUnsafeTemporaryAllocation(of: Float.self, capacity: queries * tokens) { scores in
            let scores = scores.baseAddress!
            OpenBLAS.product(
              rows: queries, columns: tokens, depth: headWidth, q, aStride: 3 * width, k, wStride: 3 * width,
              transposed: true, scores, cStride: tokens)
            let (firstVisible, step) =
              switch visibility {
              case .all: (tokens, 0)
              case .causal: (first + 1, 1)
              case .first(let count): (count, 0)
              }
            kernels.softmax(
              scores, queries, tokens, tokens, scale, bias.map { $0 + (head * tokens + first) * tokens }, tokens,
              firstVisible, step)
            OpenBLAS.product(
              rows: queries, columns: headWidth, depth: tokens, scores, aStride: tokens, v, wStride: 3 * width,
              transposed: false, out + first * stride + head * headWidth, cStride: stride)
          }
        }
      }
    }
  }
}
