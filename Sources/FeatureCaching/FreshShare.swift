/// The share of a branch's tokens that ``ToCa`` computes at a cached step: a product of straight lines over the noise and
/// over the depth, cut to 0...1.
public struct FreshShare: Sendable, Hashable {
  /// r: what the lines multiply.
  public var ratio: Double
  /// Of the factor start + slope · j / T, where j falls from T − 1 to 0.
  private var timeStart: Double
  private var timeSlope: Double
  /// Of the factor start + slope · l / depth.
  private var depthStart: Double
  private var depthSlope: Double
  /// What a block's number is divided by; nil for the number of the last block.
  private var depth: Int?
  /// The factor of the MLPs, and that of blocks with one output.
  private var mlpFactor: Double
  private var wholeFactor: Double

  /// The authors' lines for DiT with 50 steps of DDIM: r · (3 − 4 j / T) · (0.8 + 0.4 l / (L − 1)) · 2.5.
  public static func towardsTheEnd(_ ratio: Double) -> FreshShare {
    FreshShare(
      ratio: ratio, timeStart: 3, timeSlope: -4, depthStart: 0.8, depthSlope: 0.4, depth: nil, mlpFactor: 2.5,
      wholeFactor: 2.5)
  }

  /// The authors' lines for FLUX: r · (1.5 − l / 27), times 0.4 in blocks with an MLP of their own and 1.6 in those with
  /// one output; either kind is counted from 0.
  public static func towardsTheFront(_ ratio: Double) -> FreshShare {
    FreshShare(
      ratio: ratio, timeStart: 1, timeSlope: 0, depthStart: 1.5, depthSlope: -1, depth: 27, mlpFactor: 0.4,
      wholeFactor: 1.6)
  }

  /// The same everywhere.
  public static func even(_ ratio: Double) -> FreshShare {
    FreshShare(
      ratio: ratio, timeStart: 1, timeSlope: 0, depthStart: 1, depthSlope: 0, depth: nil, mlpFactor: 1, wholeFactor: 1)
  }

  /// The tokens of a branch to compute at a step of a run; attention computes none.
  public func tokens(
    _ branch: Branch, of tokens: Int, layout: BlockLayout, step: Int, steps: Int
  ) -> Int {
    guard branch.part != .attention else { return 0 }
    let number = branch.part == .whole ? branch.block - layout.splitBlocks : branch.block
    let place = Double(number) / Double(depth ?? max(1, layout.blocks - 1))
    let noise = Double(steps - 1 - step) / Double(steps)
    let share =
      ratio * (timeStart + timeSlope * noise) * (depthStart + depthSlope * place)
      * (branch.part == .whole ? wholeFactor : mlpFactor)
    return Int(min(max(share, 0), 1) * Double(tokens))
  }
}
