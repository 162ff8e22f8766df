import Tensors

/// Computes whatever it is asked for and keeps nothing of it: what caches build on that keep hidden states instead of the
/// outputs of branches.
class ComputingCache: FeatureCache {
  func begin(_ step: CacheStep) {}
  func features(_ branches: [Branch], compute: () -> [Tensor]) -> [Feature] { compute().map { Feature($0) } }
  func request(_ branch: Branch, of x: ResidualStream) -> RowRequest { RowRequest(rows: x.all) { Feature($0) } }
  var boundaries: [Int] { [] }
  func cross(_ boundary: Int, _ streams: inout [TokenStream: Tensor]) {}
  func skips(_ block: Int) -> Bool { false }
  var signalBoundary: Int? { nil }
  func measure(_ streams: [TokenStream: Tensor], modulated: () -> Tensor) -> Float? { nil }
  var byteCount: Int { 0 }
  var snapshot: CacheSnapshot { CacheSnapshot() }
  func restore(_ snapshot: CacheSnapshot) {}
  func show(_ probe: Probe) {}
}
