/// What a cache has to know of the past when the next step is full: that step computes everything else anew. With it another
/// cache, of the same blocks or of others cut from the same model, goes on with the same bits.
public struct CacheSnapshot: Sendable {
  /// One tensor of a block.
  public struct Entry: Sendable {
    /// From 0, counted over the whole model.
    public var block: Int
    /// What it is of the block, in words of the cache's own, such as `image.mlp.0`.
    public var name: String
    public var tensor: FeatureTensor

    public init(block: Int, name: String, tensor: FeatureTensor) {
      self.block = block
      self.name = name
      self.tensor = tensor
    }
  }

  /// By block and name.
  public private(set) var entries: [Entry]
  /// The place of the last full step in the run; nil if there was none, or if it does not matter.
  public var lastFullStep: Int?

  public init(_ entries: [Entry] = [], lastFullStep: Int? = nil) {
    self.entries = entries.sorted { ($0.block, $0.name) < ($1.block, $1.name) }
    self.lastFullStep = lastFullStep
  }

  /// With more entries.
  func adding(_ more: [Entry]) -> CacheSnapshot { CacheSnapshot(entries + more, lastFullStep: lastFullStep) }
}

extension Branch {
  /// Its name within its block: `image.mlp`.
  var name: String { "\(stream).\(part)" }

  /// Nil for a name of no branch.
  init?(_ block: Int, named name: some StringProtocol) {
    for stream in TokenStream.allCases {
      for part in [Part.attention, .mlp, .whole] where "\(stream).\(part)" == name {
        self.init(block, stream, part)
        return
      }
    }
    return nil
  }
}
