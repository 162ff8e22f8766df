import Tensors

/// What passes from stage to stage at a cached step whose forecasts were summed before: no more than what fresh tokens have
/// changed in the blocks so far. What they changed at earlier steps the stages keep.
public struct HandedChange: Sendable, Equatable {
  /// What the picture's clusters have in common, over all blocks so far, `[clusters, width]`; nil where nothing moves.
  public var table: Tensor?
  /// Those of the branches with fresh tokens, `[branches, width]`.
  public var gates: Tensor
  /// What is the fresh tokens' own in these branches, one below the other, `[fresh tokens, width]`.
  public var rows: Tensor

  public init(table: Tensor?, gates: Tensor, rows: Tensor) {
    (self.table, self.gates, self.rows) = (table, gates, rows)
  }

  /// The most bytes of one behind so many branches with fresh tokens.
  public static func byteCount(branches: Int, _ chain: CutChain, width: Int) -> Int {
    guard branches > 0, chain.freshTokens > 0 else { return 0 }
    let rows = branches * (1 + chain.freshTokens) + (chain.movesClusters ? chain.freshTokens : 0)
    return rows * width * MemoryLayout<Float>.stride
  }
}

/// Why what was handed over cannot be what the stage before has computed.
public struct HandedChangeError: Error, Sendable, CustomStringConvertible {
  public let description: String
}
