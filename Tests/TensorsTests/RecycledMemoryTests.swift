import Testing

@testable import Tensors

/// Memory of large tensors that is used again. Its sizes occur in no other test, since all share what is kept.
@Suite struct RecycledMemoryTests {
  @Test func aBlockIsHandedOutAgainForTheSameSize() {
    let bytes = (256 << 10) + 4160
    let first = RecycledMemory.allocate(bytes: bytes)
    RecycledMemory.release(first, bytes: bytes)
    let again = RecycledMemory.allocate(bytes: bytes)
    #expect(again == first)
    let other = RecycledMemory.allocate(bytes: bytes)
    #expect(other != first)
    for block in [again, other] { RecycledMemory.release(block, bytes: bytes) }
  }

  @Test func blocksAreAlignedToCacheLinesAndHugePages() {
    for (bytes, alignment) in [(100, 64), (300 << 10, 64), (9 << 20, 2 << 20)] {
      let block = RecycledMemory.allocate(bytes: bytes)
      #expect(Int(bitPattern: block) % alignment == 0)
      RecycledMemory.release(block, bytes: bytes)
    }
  }

  @Test func whatNobodyAsksForIsGivenBack() {
    let rare = (256 << 10) + 8256
    RecycledMemory.release(RecycledMemory.allocate(bytes: rare), bytes: rare)
    #expect(RecycledMemory.keeps(bytes: rare))
    let common = (256 << 10) + 12352
    for _ in 0..<300 { RecycledMemory.release(RecycledMemory.allocate(bytes: common), bytes: common) }
    #expect(!RecycledMemory.keeps(bytes: rare) && RecycledMemory.keeps(bytes: common))
  }
}
