import CKernels

/// Softmax(q · kᵀ · scale + bias) · v for every head.
public struct Attention: Sendable {
  public let heads: Int
  /// Heads of keys and values; each serves as many heads of queries (grouped-query attention).
  public let keyValueHeads: Int
  /// Dimensions of a head.
  public let headWidth: Int
  /// The factor of the scores; 1/√headWidth unless told otherwise (T5 has 1).
  public let scale: Float
  public let precision: Precision

  /// - Parameters:
  ///   - keyValueHeads: divides the heads; as many unless given.
  ///   - precision: of the products, where the CPU has instructions for them; without these, or with a bias, it is float32.
  public init(
    heads: Int, headWidth: Int, keyValueHeads: Int? = nil, scale: Float? = nil, precision: Precision = .float32
  ) {
    self.heads = heads
    self.keyValueHeads = keyValueHeads ?? heads
    precondition(heads % self.keyValueHeads == 0, "\(heads) heads cannot share \(self.keyValueHeads) of keys")
    self.headWidth = headWidth
    self.scale = scale ?? 1 / Float(headWidth).squareRoot()
    self.precision = precision
  }

  /// Queries of one piece of work: enough to outweigh the copy of keys and values that products make for each.
  package static let queriesPerPiece = 192

  /// - Parameters:
  ///   - qkv: `[tokens, (heads + 2 · keyValueHeads) · headWidth]`: queries, keys and values side by side.
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
    let (keyWidth, group) = (keyValueHeads * headWidth, heads / keyValueHeads)
    let qkvStride = width + 2 * keyWidth
    precondition(qkv.columns == qkvStride, "\(qkv.shape) does not hold q, k and v of \(heads) heads")
    precondition(result.rows == tokens && stride >= width, "no room in \(result.shape)")
    if bias == nil, let packed = PackedKeysAndValues(qkv, of: self) {
      return packed.attend(qkv, visibility, to: &result)
    }
    let blocks = (tokens + Self.queriesPerPiece - 1) / Self.queriesPerPiece
    Tensor.withElements(qkv, bias) { qkv, bias in
      result.withUnsafeMutableElements { result in
        guard let qkv, let out = result.baseAddress else { return }
        ThreadPool.shared.forEach(heads * blocks) { piece in
          let (head, first) = (piece / blocks, piece % blocks * Self.queriesPerPiece)
          let queries = min(Self.queriesPerPiece, tokens - first)
          let q = qkv + first * qkvStride + head * headWidth
          let k = qkv + width + head / group * headWidth
          let v = k + keyWidth
          withUnsafeTemporaryAllocation(of: Float.self, capacity: queries * tokens) { scores in
            let scores = scores.baseAddress!
            Float32Product.piece(
              rows: queries, columns: tokens, depth: headWidth, q, aStride: qkvStride, k, wStride: qkvStride,
              transposed: true, into: scores, cStride: tokens)
            for run in visibility.runs(first..<first + queries, of: tokens) {
              let row = run.queries.lowerBound
              kernels.softmax(
                scores + (row - first) * tokens, run.queries.count, tokens, tokens, scale,
                bias.map { $0 + (head * tokens + row) * tokens }, tokens, run.firstVisible, run.step)
            }
            Float32Product.piece(
              rows: queries, columns: headWidth, depth: tokens, scores, aStride: tokens, v, wStride: qkvStride,
              transposed: false, into: out + first * stride + head * headWidth, cStride: stride)
          }
        }
      }
    }
  }
}
