import Tensors

/// Leaves out the blocks between two boundaries at cached steps: the hidden states change by what they changed by at the
/// last full step.
///
/// That change, R = x_out − x_in, is kept as its two ends, each by the stage that it passes through: at a cached step the
/// first end sends on x − x_in and the last adds x_out. So nothing travels but hidden states, and a cut between the two
/// changes no bit; against x + R the order of the additions is another.
class SkippingCache: ComputingCache {
  let entry: Int
  private let exit: Int
  private(set) var step = CacheStep(index: 0, kind: .full)
  private var kept: [Int: [TokenStream: Tensor]] = [:]

  /// - Parameters:
  ///   - entry: in front of the first block that is left out.
  ///   - exit: behind the last one.
  init(entry: Int, exit: Int) {
    self.entry = entry
    self.exit = exit
  }

  override func begin(_ step: CacheStep) { self.step = step }

  override var boundaries: [Int] { entry < exit ? [entry, exit] : [] }

  override func cross(_ boundary: Int, _ streams: inout [TokenStream: Tensor]) {
    guard entry < exit, boundary == entry || boundary == exit else { return }
    guard !step.kind.isFull else {
      kept[boundary] = streams
      return
    }
    guard let kept = kept[boundary] else { preconditionFailure("no full step has crossed the boundary \(boundary)") }
    for (stream, tensor) in kept {
      if boundary == entry {
        streams[stream]?.scale(by: 1, adding: tensor, times: -1)
      } else {
        streams[stream]? += tensor
      }
    }
  }

  override func skips(_ block: Int) -> Bool { !step.kind.isFull && block >= entry && block < exit }

  override var byteCount: Int { kept.values.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.byteCount } } }

  /// The bytes that the two ends take of a branch's block.
  static func byteCount(_ shape: BranchShape, entry: Int) -> Int {
    let blocks = shape.layout.blocks
    guard entry < blocks else { return 0 }
    return shape.stateByteCount * ((shape.branch.block == entry ? 1 : 0) + (shape.branch.block == blocks - 1 ? 1 : 0))
  }

  /// The bytes of the picture's tokens behind the first block.
  static func signalByteCount(_ shape: BranchShape) -> Int {
    shape.branch.block == 0 && shape.branch.stream != .text ? shape.stateByteCount : 0
  }
}
