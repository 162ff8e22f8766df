import Tensors

/// Computes every step in full: the reference for all others.
public struct NoCaching: FeatureCachePolicy {
  public init() {}

  public var name: String { "none" }
  public var clusterCount: Int? { nil }
  public func kind(ofStep step: Int) -> StepKind { .full }
  public func makeCache(choices: any TokenChoices) -> any FeatureCache { Cache() }
  public func byteCount(_ shape: BranchShape) -> Int { 0 }
  public func computedTokens(_ shape: BranchShape) -> Int { shape.tokens }

  private final class Cache: FeatureCache {
    func begin(_ step: CacheStep) {}
    func features(_ branches: [Branch], compute: () -> [Tensor]) -> [Feature] { compute().map { Feature($0) } }
    func feature(_ branch: Branch, of x: Tensor, compute: (Tensor) -> Tensor) -> Feature { Feature(compute(x)) }
    func observe(_ stream: TokenStream, _ hidden: Tensor) {}
    var newClusters: [TokenStream: TokenClusters] { [:] }
    var byteCount: Int { 0 }
    func show(_ probe: Probe) {}
  }
}
