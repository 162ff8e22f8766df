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
  private static let queriesPerPiece = 192

  /// - Parameters:
  ///   - qkv: `[tokens, 3 · heads · headWidth]`: queries, keys and values side by side.
  ///   - bias: added to the scaled scores, `[heads, tokens, tokens]`.
  /// - Returns: `[tokens, heads · headWidth]`
  public func callAsFunction(_ qkv: Tensor, visibility: Visibility = .all, bias: Tensor? = nil) -> Tensor {
    let (tokens, width) = (qkv.rows, heads * headWidth)
    precondition(qkv.columns == 3 * width, "\(qkv.shape) does not hold q, k and v of \(heads) heads")
    var result = Tensor(uninitialized: [tokens, width])
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
              transposed: false, out + first * width + head * headWidth, cStride: width)
          }
        }
      }
    }
    return result
  }
}
