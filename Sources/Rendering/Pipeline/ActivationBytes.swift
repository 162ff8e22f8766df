import FeatureCaching
import Tensors

/// The bytes that blocks take for what they compute on their way: hidden states, their norm, q, k, v, the MLP's four widths,
/// and copies.
///
/// Blocks with a single stream of tokens and others ask for memory of different sizes, and what the one kind has asked for
/// stays while the other works, so that both take more than either.
public struct ActivationBytes: Sendable, Hashable {
  private var ofSingleStreams = 0
  private var ofOthers = 0

  public init() {}

  /// Of the blocks that some branches belong to.
  ///
  /// - Parameter tokens: all of a sample.
  public init(_ branches: some Sequence<BranchShape>, tokens: Int, _ precision: Precision) {
    // The scores of attention that each thread has in work.
    let scores = ThreadPool.shared.threads * Attention.queriesPerPiece * tokens
    let widths = Self.widths(precision)
    for branch in branches {
      func bytes(_ widths: Int) -> Int { (tokens * branch.width * widths + scores) * MemoryLayout<Float>.stride }
      if branch.branch.stream == .joint {
        ofSingleStreams = max(ofSingleStreams, bytes(widths.ofSingleStreams))
      } else {
        ofOthers = max(ofOthers, bytes(widths.ofOthers))
      }
    }
  }

  /// So many times the hidden states, as measured with workers that had a few blocks of FLUX's width, of one kind and of both.
  /// An MLP in bfloat16 has its four widths in 16 bits; that of int8 in float32, and rounded beside.
  private static func widths(_ precision: Precision) -> (ofSingleStreams: Int, ofOthers: Int) {
    switch precision {
    case .float32: (14, 15)
    case .bfloat16: (13, 13)
    case .int8: (17, 11)
    }
  }

  /// For all blocks in turn.
  public var total: Int {
    // Of what the one kind has asked for, about a quarter is of sizes that the other has no use for.
    max(ofSingleStreams, ofOthers) + min(ofSingleStreams, ofOthers) / 4
  }

  /// With the blocks of another, too.
  public mutating func merge(_ other: ActivationBytes) {
    ofSingleStreams = max(ofSingleStreams, other.ofSingleStreams)
    ofOthers = max(ofOthers, other.ofOthers)
  }
}
