import Testing

@testable import Tensors

/// Memory of large tensors that is used again. All tests share what is kept: these sizes are some that no other test asks
/// for, nor for half of them.
@Suite(.serialized) struct RecycledMemoryTests {
  private let megabyte = 1 << 20

  @Test func aBlockServesForItsSizeAndForLessDownToHalf() {
    let block = RecycledMemory.allocate(bytes: 900 * megabyte)
    for (bytes, serves) in [(900 * megabyte, true), (450 * megabyte, true), (449 * megabyte, false)] {
      RecycledMemory.release(block)
      let again = RecycledMemory.allocate(bytes: bytes)
      #expect((again.baseAddress == block.baseAddress) == serves, "\(bytes) bytes")
      #expect(again.count == (serves ? block.count : bytes))
      if !serves { again.deallocate() }
    }
    RecycledMemory.allocate(bytes: 900 * megabyte).deallocate()
  }

  @Test func theSmallestBlockThatServesIsTaken() {
    let large = RecycledMemory.allocate(bytes: 1500 * megabyte)
    let small = RecycledMemory.allocate(bytes: 1000 * megabyte)
    RecycledMemory.release(small)
    RecycledMemory.release(large)
    let first = RecycledMemory.allocate(bytes: 800 * megabyte)
    #expect(first.baseAddress == small.baseAddress)
    let second = RecycledMemory.allocate(bytes: 800 * megabyte)
    #expect(second.baseAddress == large.baseAddress)
    for block in [first, second] { block.deallocate() }
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
    let common = RecycledMemory.allocate(bytes: megabyte)
    RecycledMemory.release(common)
    for _ in 0..<300 { RecycledMemory.release(RecycledMemory.allocate(bytes: megabyte)) }
    #expect(RecycledMemory.keeps(rare), "all that was asked for was there")
    RecycledMemory.allocate(bytes: 599 * megabyte / 2).deallocate()
    #expect(RecycledMemory.keeps(rare), "less is needed than would go")
    RecycledMemory.allocate(bytes: 2000 * megabyte).deallocate()
    #expect(!RecycledMemory.keeps(rare))
  }
}
