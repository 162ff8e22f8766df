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
    var kept = RecycledMemory.Kept()
    kept.put(block(bytes: 600))
    for _ in 0..<1030 {
      if let common = kept.take(1) { kept.put(common.memory) } else { kept.put(block(bytes: 1)) }
    }
    #expect(kept.blocks.map(\.memory.count) == [600, 1], "all that was asked for was there")
    let stale = kept.takeStale(for: 2)
    #expect(stale.map(\.memory.count) == [600])
    #expect(kept.blocks.map(\.memory.count) == [1])
  }

  @Test func whatWasAskedForLatelyStays() {
    var kept = RecycledMemory.Kept()
    kept.put(block(bytes: 700))
    let taken = kept.take(2001)
    let stale = kept.takeStale(for: 2001)
    #expect(taken?.memory == nil && stale.isEmpty && kept.blocks.count == 1)
  }

  @Test func noMoreGoesThanIsNeeded() {
    var kept = RecycledMemory.Kept()
    for _ in 0..<3 { kept.put(block(bytes: 100)) }
    for _ in 0..<1030 { _ = kept.take(7) }
    let stale = kept.takeStale(for: 150)
    #expect(stale.count == 2 && kept.blocks.count == 1)
  }

  /// One that is counted and never touched.
  private func block(bytes: Int) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: UnsafeMutableRawPointer(bitPattern: 64), count: bytes)
  }
}
