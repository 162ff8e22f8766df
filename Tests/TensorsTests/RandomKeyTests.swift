import Testing

@testable import Tensors

@Suite struct RandomKeyTests {
  @Test func philoxGivesTheKnownAnswersOfRandom123() {
    let zero = Philox.block(counter: .zero, key: .zero)
    #expect(zero == SIMD4(0x6627_E8D5, 0xE169_C58D, 0xBC57_AC4C, 0x9B00_DBD8))
    let ones = Philox.block(counter: SIMD4(repeating: .max), key: SIMD2(repeating: .max))
    #expect(ones == SIMD4(0x408F_276D, 0x41C8_3B0E, 0xA20B_C7C6, 0x6D54_51FD))
    let pi = Philox.block(
      counter: SIMD4(0x243F_6A88, 0x85A3_08D3, 0x1319_8A2E, 0x0370_7344), key: SIMD2(0xA409_3822, 0x299F_31D0))
    #expect(pi == SIMD4(0xD16C_FE09, 0x94FD_CCEB, 0x5001_E420, 0x2412_6EA1))
  }

  /// Keys whose fields take small and extreme values in all combinations.
  static let keys: [RandomKey] = {
    var keys: [RandomKey] = []
    for seed in [0, 1, 1 << 32, .max] as [UInt64] {
      for purpose in RandomPurpose.allCases {
        for (step, layer) in [(0, 0), (0, 1), (1, 0), (1, 1), (.max, 0), (0, .max), (65536, 256)] as [(UInt32, UInt32)]
        {
          for stream in [0, 1, 2, .max] as [UInt8] {
            for row in [0, 1, 256, .max] as [UInt16] {
              keys.append(
                RandomKey(seed: seed, purpose: purpose, step: step, layer: layer, stream: stream, row: row))
            }
          }
        }
      }
    }
    return keys
  }()

  @Test func noTwoSequencesShareABlock() {
    struct Place: Hashable {
      let counter: SIMD4<UInt32>
      let key: SIMD2<UInt32>
    }
    var places: Set<Place> = []
    for key in Self.keys {
      for block in [0, 1, 255, 65536, UInt32.max] {
        #expect(places.insert(Place(counter: key.counter(block), key: key.philoxKey)).inserted)
      }
    }
  }

  @Test func everyFieldChangesTheNumbers() {
    let beginnings = Set(Self.keys.map { $0.uniforms(0..<8) })
    #expect(beginnings.count == Self.keys.count)
  }

  @Test func numbersDoNotDependOnOrderOrOnTheRangeAskedFor() {
    let key = RandomKey(seed: 42, purpose: .freshTokens, step: 7, layer: 18, stream: 1)
    let all = key.uniforms(0..<1000)
    #expect((0..<1000).reversed().map { key.uniform(at: $0) } == all.reversed())
    for begin in 0..<9 {
      for end in begin..<19 { #expect(key.uniforms(begin..<end) == Array(all[begin..<end])) }
    }
    let last = RandomKey.indexLimit - 1
    #expect(key.uniforms(last..<last + 1) == [key.uniform(at: last)])
  }

  @Test func numbersAreWithinTheirBoundsAndSpread() {
    let key = RandomKey(seed: 1, purpose: .test)
    let uniforms = key.uniforms(0..<100_000)
    #expect(uniforms.allSatisfy { $0 >= 0 && $0 < 1 })
    let mean = uniforms.reduce(0) { $0 + Double($1) } / 100_000
    #expect(abs(mean - 0.5) < 0.005)
    var counts = [Int](repeating: 0, count: 10)
    for index in 0..<100_000 { counts[key.integer(at: index, below: 10)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 10_000) < 500 })
    #expect(key.integer(at: 5, below: 1) == 0)
    #expect(key.integer(at: 5, below: 1 << 32) == Int(key.bits(at: 5)))
  }

  /// Pictures depend on these numbers: a change of the packing must be noticed.
  @Test func theNumbersOfASequenceNeverChange() {
    let key = RandomKey(seed: 0x0123_4567_89AB_CDEF, purpose: .freshTokens, step: 3, layer: 5, stream: 1, row: 2)
    let block = Philox.block(
      counter: SIMD4(1, 0x0002_0201, 3, 5), key: SIMD2(0x89AB_CDEF, 0x0123_4567))
    #expect((4..<8).map { key.bits(at: $0) } == (0..<4).map { block[$0] })
    #expect(key.uniform(at: 6) == Float(block[2] >> 8) / 16_777_216)
  }
}
