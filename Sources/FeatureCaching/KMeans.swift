import CKernels
import Tensors

/// k-means with the L1 distance to the nearest centroid and means as centroids, as ClusCa has it.
public struct KMeans: Sendable {
  /// At least 1.
  public let maximumIterations: Int

  public init(maximumIterations: Int) {
    precondition(maximumIterations >= 1, "one iteration is needed to label the tokens")
    self.maximumIterations = maximumIterations
  }

  public struct Result: Sendable {
    /// A label for each token.
    public var clusters: TokenClusters
    /// `[clusters, width]`; one update newer than the labels if the iterations ran out.
    public var centroids: Tensor
    /// The iterations that were made, at least 1.
    public var iterations: Int
  }

  /// Clusters the rows of `x` (`[tokens, width]`), beginning with `centroids` (`[clusters, width]`).
  ///
  /// It ends when no centroid moves by more than 10⁻⁸ + 10⁻⁴ of itself; the labels then belong to the centroids that are
  /// returned. A cluster without tokens gets the origin as its centroid.
  public func callAsFunction(_ x: Tensor, from centroids: Tensor) -> Result {
    var centroids = centroids
    var labels: [Int32] = []
    for iteration in 1...maximumIterations {
      labels = Self.nearestCentroids(x, centroids)
      let means = Self.means(x, labels, like: centroids)
      if Self.isClose(centroids, means) {
        return result(labels, centroids, iteration)
      }
      centroids = means
    }
    return result(labels, centroids, maximumIterations)
  }

  private func result(_ labels: [Int32], _ centroids: Tensor, _ iterations: Int) -> Result {
    Result(
      clusters: TokenClusters(labels: labels, count: centroids.rows), centroids: centroids, iterations: iterations)
  }

  /// The lowest of the nearest centroids for each row.
  static func nearestCentroids(_ x: Tensor, _ centroids: Tensor) -> [Int32] {
    let (rows, columns, count) = (x.rows, x.columns, centroids.rows)
    return [Int32](unsafeUninitializedCapacity: rows) { labels, initialized in
      nonisolated(unsafe) let target = labels.baseAddress
      x.withUnsafeElements { x in
        centroids.withUnsafeElements { centroids in
          guard let x = x.baseAddress, let target else { return }
          Tensor.forEachRowRange(rows: rows, columns: columns * count) { range in
            kernels.nearest_centroid(
              x + range.lowerBound * columns, range.count, columns, centroids.baseAddress, count,
              target + range.lowerBound)
          }
        }
      }
      initialized = rows
    }
  }

  /// The mean of each cluster's rows, summed in the order of the rows; zero for an empty cluster.
  private static func means(_ x: Tensor, _ labels: [Int32], like centroids: Tensor) -> Tensor {
    let (columns, count) = (x.columns, centroids.rows)
    var sizes = [Float](repeating: 0, count: count)
    for label in labels { sizes[Int(label)] += 1 }
    var means = Tensor(zeros: centroids.shape)
    // Cut by columns: every sum is formed by one thread, row after row.
    let columnsPerPiece = 128
    means.withUnsafeMutableElements { means in
      x.withUnsafeElements { x in
        guard let x = x.baseAddress, let means = means.baseAddress else { return }
        ThreadPool.shared.forEach((columns + columnsPerPiece - 1) / columnsPerPiece) { piece in
          let first = piece * columnsPerPiece
          let width = min(columnsPerPiece, columns - first)
          for (row, label) in labels.enumerated() {
            kernels.add(means + Int(label) * columns + first, x + row * columns + first, width)
          }
          for cluster in 0..<count where sizes[cluster] > 1 {
            let mean = means + cluster * columns + first
            for column in 0..<width { mean[column] /= sizes[cluster] }
          }
        }
      }
    }
    return means
  }

  private static func isClose(_ old: Tensor, _ new: Tensor) -> Bool {
    old.withUnsafeElements { old in
      new.withUnsafeElements { new in
        zip(old, new).allSatisfy { abs($0 - $1) <= 1e-8 + 1e-4 * abs($1) }
      }
    }
  }
}
