/// Random numbers that a seed decides about.
struct SplitMix64: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Self.mix(state)
  }

  static func mix(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func chance(_ probability: Double) -> Bool {
    probability > 0 && Double(next() >> 11) * 0x1p-53 < probability
  }

  mutating func number(_ range: ClosedRange<Int>) -> Int {
    range.lowerBound + Int(next().multipliedFullWidth(by: UInt64(range.count)).high)
  }

  mutating func milliseconds(_ range: ClosedRange<Int>) -> Int64 { Int64(number(range)) * 1000 }

  /// A rate that is zero as often as not: seeds differ in what goes wrong, so that each kind of fault meets others and none.
  mutating func rate(upTo most: Double) -> Double {
    chance(0.5) ? 0 : most * Double(next() >> 11) * 0x1p-53
  }
}
