import Tensors

/// Where the weights of a transformer are while it computes.
public struct TransformerWeights: Sendable {
  /// Matrices that were packed before; the others are packed when they are loaded.
  public var packed: PackedFile?
  /// So many blocks, from the first on, stay in memory, and the others are read from the disk at each full step; all stay
  /// if nil.
  public var residentBlocks: Int?

  public init(packed: PackedFile? = nil, residentBlocks: Int? = nil) {
    self.packed = packed
    self.residentBlocks = residentBlocks
  }
}
