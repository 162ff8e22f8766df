import Synchronization
import Tensors
import Testing

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

  @Test(arguments: [1, 2, 4]) func whatPiecesGiveComesInTheirOrder(threads: Int) {
    let pool = ThreadPool(threads: threads)
    for count in [0, 1, 2, 100] { #expect(pool.map(count) { "piece \($0)" } == (0..<count).map { "piece \($0)" }) }
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

  @Test func everyPieceRunsOnceWhileTheNumberOfThreadsChanges() async {
    let pool = ThreadPool(threads: 3)
    let changes = Counter()
    await withTaskGroup(of: Void.self) { group in
      group.addTask {
        for round in 0..<400 { pool.setThreads(1 + round % 4) }
        changes.value.add(1, ordering: .relaxed)
      }
      for _ in 0..<2 {
        group.addTask {
          repeat {
            let counts = (0..<64).map { _ in Counter() }
            pool.forEach(counts.count) { counts[$0].value.add(1, ordering: .relaxed) }
            #expect(counts.allSatisfy { $0.value.load(ordering: .relaxed) == 1 })
          } while changes.value.load(ordering: .relaxed) == 0
        }
      }
    }
  }
}

private final class Counter: Sendable {
  let value = Atomic<Int>(0)
}
