import CKernels
import Tensors

extension Tensor {
  /// Writes fresh outputs into the kept ones and moves those of their clusters towards them.
  ///
  /// First self[tokenⱼ] = outputsⱼ; then, for a propagation γ > 0, every token n of a cluster with fresh tokens becomes
  /// γ · G + (1 − γ) · self[n], where G is the mean (or the sum) of its cluster's fresh outputs.
  ///
  /// - Parameters:
  ///   - tokens: rows of self; one may occur several times.
  ///   - outputs: `[tokens.count, width]`
  mutating func refresh(
    _ tokens: [Int], with outputs: Tensor, clusters: TokenClusters, propagation: Float, summing: Bool
  ) {
    let (rows, columns) = (rows, columns)
    let targets = propagation > 0 ? Self.targets(tokens, outputs, clusters, summing: summing) : nil
    withUnsafeMutableElements { kept in
      guard let kept = kept.baseAddress else { return }
      outputs.withUnsafeElements { outputs in
        for (place, token) in tokens.enumerated() {
          (kept + token * columns).update(from: outputs.baseAddress! + place * columns, count: columns)
        }
      }
      guard let targets else { return }
      targets.values.withUnsafeElements { values in
        guard let values = values.baseAddress else { return }
        Self.forEachRowRange(rows: rows, columns: columns) { range in
          for row in range {
            let cluster = Int(clusters.labels[row])
            guard targets.counts[cluster] > 0 else { continue }
            kernels.scale_add(
              kept + row * columns, 1 - propagation, values + cluster * columns, propagation, columns)
          }
        }
      }
    }
  }

  /// What each cluster's tokens move towards, and how many fresh tokens that is made of.
  private static func targets(
    _ tokens: [Int], _ outputs: Tensor, _ clusters: TokenClusters, summing: Bool
  ) -> (values: Tensor, counts: [Int]) {
    let columns = outputs.columns
    var counts = [Int](repeating: 0, count: clusters.count)
    var values = Tensor(zeros: [clusters.count, columns])
    values.withUnsafeMutableElements { values in
      outputs.withUnsafeElements { outputs in
        guard let values = values.baseAddress, let outputs = outputs.baseAddress else { return }
        for (place, token) in tokens.enumerated() {
          let cluster = Int(clusters.labels[token])
          counts[cluster] += 1
          kernels.add(values + cluster * columns, outputs + place * columns, columns)
        }
        guard !summing else { return }
        for (cluster, count) in counts.enumerated() where count > 1 {
          for column in 0..<columns { values[cluster * columns + column] /= Float(count) }
        }
      }
    }
    return (values, counts)
  }
}
