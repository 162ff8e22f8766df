import Messaging

/// The features that a stage keeps of one sample, as hashes: of its blocks, of the class of numerics, and of all that it was
/// given, in order. A step that is left out, done twice, or done with another sample's or another step's input gives other
/// numbers from then on; where the blocks are cut into stages does not count.
struct SimulatedCache {
  let blocks: Range<Int>
  private var chain: [UInt64]

  /// The block behind which labels are found, at full steps.
  static let clusterPoint = 2

  init(_ blocks: Range<Int>, condition: UInt64, settings: UInt64) {
    self.blocks = blocks
    chain = blocks.map { Self.mix(Self.mix(condition, settings), UInt64($0)) }
  }

  static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 { SplitMix64.mix(a &* 0x9E37_79B9_7F4A_7C15 &+ b &+ 1) }

  mutating func compute(
    _ input: UInt64, step: Int, distance: UInt32?, labels: UInt16, numerics: UInt64
  ) -> (output: UInt64, label: UInt16?) {
    let context = Self.mix(UInt64(step), UInt64(distance ?? 0) << 32 | UInt64(labels))
    var (x, label): (UInt64, UInt16?) = (input, nil)
    for block in blocks {
      let place = block - blocks.lowerBound
      chain[place] = Self.mix(chain[place], Self.mix(x, context))
      x = Self.mix(x, chain[place] ^ numerics)
      if block == Self.clusterPoint, distance == nil { label = UInt16(truncatingIfNeeded: x) }
    }
    return (x, label)
  }

  /// What is to be known before the next step, by block.
  var snapshot: [Int: UInt64] { Dictionary(uniqueKeysWithValues: zip(blocks, chain)) }

  mutating func restore(_ snapshot: [Int: UInt64]) {
    for (block, value) in snapshot { chain[block - blocks.lowerBound] = value }
  }

  /// What the first stage finds when it measures a step: it hangs on all measurements before and is no part of a step.
  mutating func measure(_ input: UInt64, numerics: UInt64) -> Float {
    chain[0] = Self.mix(chain[0], Self.mix(input, 1 << 50))
    // Few enough bits for a number of 32.
    return Float((chain[0] ^ numerics) & 0xFFFF)
  }
}

extension Payload {
  /// A hash as a tensor of two numbers.
  init(hash: UInt64) { self.init((0..<8).map { UInt8(truncatingIfNeeded: hash >> (8 * UInt64($0))) }) }

  var hash: UInt64 {
    withBytes { bytes in (0..<min(8, bytes.count)).reduce(0) { $0 | UInt64(bytes[$1]) << (8 * UInt64($1)) } }
  }
}
