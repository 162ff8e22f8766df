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
  /// Whether it can be computed for some tokens alone: an MLP can, attention cannot.
  public var isTokenwise: Bool
  /// Floating-point operations for all tokens (a multiplication and an addition are two).
  public var operations: Int

  public init(branch: Branch, tokens: Int, width: Int, isTokenwise: Bool, operations: Int) {
    self.branch = branch
    self.tokens = tokens
    self.width = width
    self.isTokenwise = isTokenwise
    self.operations = operations
  }
}
