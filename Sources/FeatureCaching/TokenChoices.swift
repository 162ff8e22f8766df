import Tensors

/// The random choices of a clustering policy. Each is a function of what it is for, not of what was drawn before.
public protocol TokenChoices: Sendable {
  /// The tokens that the first centroids of a stream are: `count` of them, in 0..<tokens, with repetition.
  func initialCentroids(_ count: Int, of tokens: Int, stream: TokenStream) -> [Int]
  /// The token of each cluster that is computed anew for a branch at a step: one entry a cluster, nil for an empty one.
  func freshTokens(step: Int, branch: Branch, clusters: TokenClusters) -> [Int?]
  /// A number in 0..<1 for each token of a branch at a step: those of the largest are computed anew.
  func scores(step: Int, branch: Branch, tokens: Int) -> [Float]
}

/// Choices by the counter-based generator: the same on every machine and in any order.
public struct KeyedChoices: TokenChoices {
  public let seed: UInt64
  /// The row of the batch, such as the unconditional half.
  public let row: UInt16

  public init(seed: UInt64, row: UInt16 = 0) {
    self.seed = seed
    self.row = row
  }

  public func initialCentroids(_ count: Int, of tokens: Int, stream: TokenStream) -> [Int] {
    let key = RandomKey(seed: seed, purpose: .initialCentroids, stream: stream.rawValue, row: row)
    return (0..<count).map { key.integer(at: $0, below: tokens) }
  }

  public func freshTokens(step: Int, branch: Branch, clusters: TokenClusters) -> [Int?] {
    clusters.heaviestTokens(scores(step: step, branch: branch, tokens: clusters.labels.count))
  }

  public func scores(step: Int, branch: Branch, tokens: Int) -> [Float] {
    let key = RandomKey(
      seed: seed, purpose: .freshTokens, step: UInt32(step), layer: UInt32(branch.block),
      stream: branch.stream.rawValue, row: row)
    return key.uniforms(0..<tokens)
  }
}
