import Testing

@testable import Tensors

/// Memory of large tensors that is used again. All tests share what is kept: no other test asks for these sizes.
@Suite(.serialized) struct RecycledMemoryTests {
  private let megabyte = 1 << 20

  @Test func aBlockIsHandedOutAgainForTheSameSize() {
    let block = RecycledMemory.allocate(bytes: 900 * megabyte)
    RecycledMemory.release(block)
    let less = RecycledMemory.allocate(bytes: 899 * megabyte)
    #expect(less.baseAddress != block.baseAddress)
    let again = RecycledMemory.allocate(bytes: 900 * megabyte)
    #expect(again.baseAddress == block.baseAddress)
    let other = RecycledMemory.allocate(bytes: 900 * megabyte)
    #expect(other.baseAddress != block.baseAddress)
    for block in [less, again, other] { block.deallocate() }
  }

  @Test func blocksAreAlignedToCacheLinesAndHugePages() {
    for (bytes, alignment) in [(100, 64), (300 << 10, 64), (9 << 20, 2 << 20)] {
      let block = RecycledMemory.allocate(bytes: bytes)
      #expect(Int(bitPattern: block.baseAddress) % alignment == 0)
      RecycledMemory.release(block)
    }
  }

  @Test func whatNobodyAsksForGoesWhenOtherMemoryIsNeeded() {
    let rare = RecycledMemory.allocate(bytes: 600 * megabyte)
    RecycledMemory.release(rare)
    for _ in 0..<1030 { RecycledMemory.release(RecycledMemory.allocate(bytes: megabyte + 64)) }
    #expect(RecycledMemory.keeps(rare), "all that was asked for was there")
    // More than everything that other tests may have left behind.
    RecycledMemory.allocate(bytes: 2000 * megabyte).deallocate()
    #expect(!RecycledMemory.keeps(rare))
  }

  @Test func whatWasAskedForLatelyStays() {
    let recent = RecycledMemory.allocate(bytes: 700 * megabyte)
    RecycledMemory.release(recent)
    RecycledMemory.allocate(bytes: 2001 * megabyte).deallocate()
    #expect(RecycledMemory.keeps(recent))
    RecycledMemory.allocate(bytes: 700 * megabyte).deallocate()
  }
}
