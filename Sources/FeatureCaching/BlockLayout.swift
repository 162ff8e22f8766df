/// How many blocks a model has, and of which kind.
public struct BlockLayout: Sendable, Hashable {
  public var blocks: Int
  /// The first so many have attention and MLP as branches of their own; in the others both have one common output.
  public var splitBlocks: Int

  public init(blocks: Int, splitBlocks: Int) {
    precondition((0...blocks).contains(splitBlocks), "no model has more split blocks than blocks")
    self.blocks = blocks
    self.splitBlocks = splitBlocks
  }
}
