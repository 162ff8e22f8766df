/// Which tokens of a model a tensor holds.
public enum TokenStream: UInt8, Sendable, Hashable, CaseIterable {
  /// The picture's or the video's tokens.
  case image = 0
  case text = 1
  /// Both together, in blocks with a single stream.
  case joint = 2
}

/// Names one residual branch of a model: its output, before the gate, is what a cache keeps.
public struct Branch: Sendable, Hashable {
  /// Which of a block's branches.
  public enum Part: UInt8, Sendable, Hashable {
    case attention = 0
    case mlp = 1
    /// A block whose attention and MLP have one common output.
    case whole = 2
  }

  /// The block, from 0, counted over the whole model: for FLUX the double blocks, then the single ones.
  public var block: Int
  public var stream: TokenStream
  public var part: Part

  public init(_ block: Int, _ stream: TokenStream, _ part: Part) {
    self.block = block
    self.stream = stream
    self.part = part
  }
}

/// A branch at a certain picture size: what caching it costs and saves.
public struct BranchShape: Sendable, Hashable {
  public var branch: Branch
  /// The tokens of its stream.
  public var tokens: Int
  /// The numbers of a token's output.
  public var width: Int
  /// Floating-point operations for all tokens (a multiplication and an addition are two).
  public var operations: Int
  /// Of these, those that can be done for some tokens alone: all of an MLP, none of an attention.
  public var rowOperations: Int
  /// The model's blocks.
  public var layout: BlockLayout

  public init(branch: Branch, tokens: Int, width: Int, operations: Int, rowOperations: Int, layout: BlockLayout) {
    self.branch = branch
    self.tokens = tokens
    self.width = width
    self.operations = operations
    self.rowOperations = rowOperations
    self.layout = layout
  }

  /// Whether it can be computed for some tokens alone.
  public var isTokenwise: Bool { rowOperations == operations }

  /// The bytes of one output.
  var byteCount: Int { tokens * width * MemoryLayout<Float>.stride }

  /// The bytes of its block's hidden states that this branch stands for, so that over all branches of a block they are
  /// counted once.
  var stateByteCount: Int { branch.part == .mlp ? 0 : byteCount }
}
