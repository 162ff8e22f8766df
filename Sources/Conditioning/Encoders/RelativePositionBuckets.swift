import Glibc

/// Distances between tokens in classes, each with a learned bias for each head: small distances one by one, larger ones
/// in ranges that widen, both directions apart (`T5Attention._relative_position_bucket`).
public struct RelativePositionBuckets: Sendable {
  public let count: Int
  /// From here on all distances share a bucket.
  public let maximumDistance: Int

  public init(count: Int, maximumDistance: Int) {
    precondition(count >= 4 && maximumDistance > count / 4, "no logarithmic buckets are left")
    self.count = count
    self.maximumDistance = maximumDistance
  }

  /// The bucket of a key that stands `offset` tokens behind the query.
  public func bucket(ofOffset offset: Int) -> Int {
    let half = count / 2
    let exact = half / 2
    let first = offset > 0 ? half : 0
    let distance = abs(offset)
    guard distance >= exact else { return first + distance }
    // In float32 and cut off, as transformers has it.
    let octaves = logf(Float(distance) / Float(exact)) / Float(log(Double(maximumDistance) / Double(exact)))
    return first + min(half - 1, exact + Int(octaves * Float(half - exact)))
  }
}
