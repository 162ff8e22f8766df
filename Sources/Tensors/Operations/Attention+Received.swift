import CKernels

extension Attention {
  /// How much attention each token receives: the mean over the heads of the column sums of softmax(q · kᵀ · scale).
  ///
  /// - Parameter qkv: as ``callAsFunction(_:visibility:bias:)`` takes it.
  /// - Returns: `[tokens]`, whose sum is the number of tokens.
  public func received(_ qkv: Tensor, visibility: Visibility = .all) -> Tensor {
    let (tokens, width, stride) = (qkv.rows, heads * headWidth, qkv.columns)
    let group = heads / keyValueHeads
    precondition(
      stride == width + 2 * keyValueHeads * headWidth, "\(qkv.shape) does not hold q, k and v of \(heads) heads")
    // Each head sums over the queries in their order, and then the heads are summed in theirs: whatever the threads do.
    var ofHeads = Tensor(zeros: [heads, tokens])
    qkv.withUnsafeElements { qkv in
      ofHeads.withUnsafeMutableElements { sums in
        guard let qkv = qkv.baseAddress, let sums = sums.baseAddress else { return }
        ThreadPool.shared.forEach(heads) { head in
          let k = qkv + width + head / group * headWidth
          withUnsafeTemporaryAllocation(of: Float.self, capacity: min(Self.queriesPerPiece, tokens) * tokens) {
            scores in
            let scores = scores.baseAddress!
            for first in Swift.stride(from: 0, to: tokens, by: Self.queriesPerPiece) {
              let queries = min(Self.queriesPerPiece, tokens - first)
              Float32Product.piece(
                rows: queries, columns: tokens, depth: headWidth, qkv + first * stride + head * headWidth,
                aStride: stride, k, wStride: stride, transposed: true, into: scores, cStride: tokens)
              for run in visibility.runs(first..<first + queries, of: tokens) {
                kernels.softmax(
                  scores + (run.queries.lowerBound - first) * tokens, run.queries.count, tokens, tokens, scale, nil,
                  tokens, run.firstVisible, run.step)
              }
              for row in 0..<queries { kernels.add(sums + head * tokens, scores + row * tokens, tokens) }
            }
          }
        }
      }
    }
    var mean = Tensor(zeros: [tokens])
    mean.withUnsafeMutableElements { mean in
      ofHeads.withUnsafeElements { sums in
        guard let mean = mean.baseAddress, let sums = sums.baseAddress else { return }
        for head in 0..<heads { kernels.add(mean, sums + head * tokens, tokens) }
        for token in 0..<tokens { mean[token] /= Float(heads) }
      }
    }
    return mean
  }
}
