/// A partition of a stream's tokens: for each token the number of its cluster.
public struct TokenClusters: Sendable, Hashable {
  /// One label a token, below ``count``.
  public let labels: [Int32]
  /// The number of clusters, empty ones included.
  public let count: Int

  /// How many tokens each cluster has.
  var counts: [Int] { labels.reduce(into: Array(repeating: 0, count: count)) { $0[Int($1)] += 1 } }

  public init(labels: [Int32], count: Int) {
    precondition(labels.allSatisfy { $0 >= 0 && $0 < count }, "a label lies outside of the \(count) clusters")
    self.labels = labels
    self.count = count
  }

  /// The token of the largest weight in each cluster (the first of equals); nil for an empty cluster.
  ///
  /// With uniform random weights that is a uniformly random member.
  ///
  /// - Parameter weights: one a token.
  /// - Returns: one entry a cluster.
  public func heaviestTokens(_ weights: [Float]) -> [Int?] {
    precondition(weights.count == labels.count, "each token has a weight")
    var heaviest = [Int?](repeating: nil, count: count)
    for (token, label) in labels.enumerated() {
      let cluster = Int(label)
      if let best = heaviest[cluster], weights[best] >= weights[token] { continue }
      heaviest[cluster] = token
    }
    return heaviest
  }
}
