/// The 32-bit Mersenne Twister MT19937 (Matsumoto and Nishimura, 1998), seeded as torch's CPU generator seeds it.
struct MersenneTwister: Sendable {
  private static let length = 624
  private static let distance = 397

  private var state: [UInt32]
  private var position = MersenneTwister.length

  init(seed: UInt32) {
    state = [seed]
    state.reserveCapacity(Self.length)
    for index in 1..<UInt32(Self.length) {
      let last = state[Int(index) - 1]
      state.append(1_812_433_253 &* (last ^ (last >> 30)) &+ index)
    }
  }

  mutating func next() -> UInt32 {
    if position == Self.length { regenerate() }
    let word = Self.temper(state[position])
    position += 1
    return word
  }

  /// Two words, the first of them upper.
  mutating func next64() -> UInt64 {
    let upper = UInt64(next())
    return upper << 32 | UInt64(next())
  }

  /// Replaces all elements of `buffer` by `value` of the next words, in order.
  @inline(__always)
  mutating func fill<Element>(_ buffer: UnsafeMutableBufferPointer<Element>, _ value: (UInt32) -> Element) {
    var index = 0
    while index < buffer.count {
      if position == Self.length { regenerate() }
      let count = min(Self.length - position, buffer.count - index)
      state.withUnsafeBufferPointer { state in
        for offset in 0..<count {
          buffer[index &+ offset] = value(Self.temper(state[position &+ offset]))
        }
      }
      position += count
      index += count
    }
  }

  private mutating func regenerate() {
    state.withUnsafeMutableBufferPointer { state in
      func twist(_ target: Int, _ next: Int, _ source: Int) {
        let word = (state[target] & 0x8000_0000) | (state[next] & 0x7FFF_FFFF)
        state[target] = state[source] ^ (word >> 1) ^ (0 &- (word & 1)) & 0x9908_B0DF
      }
      for index in 0..<Self.length - Self.distance { twist(index, index + 1, index + Self.distance) }
      for index in Self.length - Self.distance..<Self.length - 1 {
        twist(index, index + 1, index + Self.distance - Self.length)
      }
      twist(Self.length - 1, 0, Self.distance - 1)
    }
    position = 0
  }

  @inline(__always)
  private static func temper(_ word: UInt32) -> UInt32 {
    var word = word
    word ^= word >> 11
    word ^= word << 7 & 0x9D2C_5680
    word ^= word << 15 & 0xEFC6_0000
    return word ^ word >> 18
  }
}
