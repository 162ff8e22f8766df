import Tensors
import Testing

@Suite struct TensorTests {
  @Test func aCopyDoesNotChangeWithTheOriginal() {
    var tensor = Tensor([1, 2, 3, 4, 5, 6], shape: [3, 2])
    let copy = tensor
    tensor[0] = 9
    #expect(copy.elements == [1, 2, 3, 4, 5, 6])
    #expect(tensor.elements == [9, 2, 3, 4, 5, 6])
  }

  @Test func rowsAreSlicedGatheredAndJoined() {
    let tensor = Tensor([1, 2, 3, 4, 5, 6], shape: [3, 2])
    #expect(tensor.rows(1..<3).elements == [3, 4, 5, 6])
    #expect(tensor.gathered(rows: [2, 0, 2]).elements == [5, 6, 1, 2, 5, 6])
    #expect(Tensor.concatenated(rows: [tensor.rows(2..<3), tensor.rows(0..<1)]).elements == [5, 6, 1, 2])
  }
}

@Suite struct ThreadPoolTests {
  @Test(arguments: [1, 2, 4, 7]) func everyPieceRunsOnce(threads: Int) {
    let pool = ThreadPool(threads: threads)
    for count in [0, 1, 2, 3, 64, 1000] {
      let counts = UnsafeMutableBufferPointer<Int>.allocate(capacity: max(count, 1))
      counts.initialize(repeating: 0)
      nonisolated(unsafe) let place = counts
      pool.forEach(count) { place[$0] += 1 }
      #expect(counts.prefix(count).allSatisfy { $0 == 1 })
      counts.deallocate()
    }
  }

  @Test func aPieceMayAskForThreadsItself() {
    let pool = ThreadPool(threads: 3)
    let counts = UnsafeMutableBufferPointer<Int>.allocate(capacity: 16)
    counts.initialize(repeating: 0)
    nonisolated(unsafe) let place = counts
    pool.forEach(4) { outer in pool.forEach(4) { inner in place[outer * 4 + inner] += 1 } }
    #expect(counts.allSatisfy { $0 == 1 })
    counts.deallocate()
  }
}
