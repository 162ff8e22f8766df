/// Philox4x32-10: ten rounds that turn a counter of 128 bits and a key of 64 into 128 random bits.
///
/// Source: Salmon, Moraes, Dror and Shaw, "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011, section 3.3; checked
/// with the known answers of the authors' Random123 library.
enum Philox {
  @inline(__always)
  static func block(counter: SIMD4<UInt32>, key: SIMD2<UInt32>) -> SIMD4<UInt32> {
    var counter = counter
    var key = key
    for _ in 0..<10 {
      let left = UInt64(counter[0]) * 0xD251_1F53
      let right = UInt64(counter[2]) * 0xCD9E_8D57
      counter = SIMD4(
        UInt32(right >> 32) ^ counter[1] ^ key[0], UInt32(truncatingIfNeeded: right),
        UInt32(left >> 32) ^ counter[3] ^ key[1], UInt32(truncatingIfNeeded: left))
      key = SIMD2(key[0] &+ 0x9E37_79B9, key[1] &+ 0xBB67_AE85)
    }
    return counter
  }
}
