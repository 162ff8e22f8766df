import Rendering

/// What every worker would take for every range of blocks, in whole nanoseconds: sums are the same in any order, so that
/// plans that are equally good are seen to be.
struct StageCosts: Equatable {
  let blocks: Int
  let workers: Int
  /// By worker, first block and end.
  private let nanoseconds: [Int]

  /// Of a range that a worker cannot hold.
  static let never = Int.max
  /// Nothing takes longer than 13 days, so that sums have room.
  private static let most = 1 << 50

  /// No stages together take longer.
  static func longest(blocks: Int) -> Int { most * blocks }

  /// - Parameters:
  ///   - samples: so many must fit.
  ///   - overhead: the bytes that any stage takes beside what its blocks do.
  init(_ blocks: [BlockCost], _ workers: [WorkerCapacity], samples: Int, overhead: Int) {
    let count = blocks.count
    (self.blocks, self.workers) = (count, workers.count)
    var table = [Int](repeating: Self.never, count: workers.count * count * (count + 1))
    for (index, worker) in workers.enumerated() {
      for first in 0..<count {
        var (operations, bytes, activations) = (0, overhead, ActivationBytes())
        for last in first..<count {
          operations += blocks[last].meanOperations
          bytes += blocks[last].weightBytes + samples * blocks[last].cacheBytes
          activations.merge(blocks[last].activations)
          let needed = bytes + activations.total
          if needed > worker.memoryBytes { break }
          if needed + samples * blocks.transitBytes(first..<last + 1) > worker.memoryBytes { continue }
          let seconds = worker.seconds(meanOperations: operations, behind: blocks[last])
          guard seconds.isFinite else { continue }
          table[(index * count + first) * (count + 1) + last + 1] = Int(min(seconds * 1e9, Double(Self.most)).rounded())
        }
      }
    }
    nanoseconds = table
  }

  /// What `worker` takes for blocks `first..<end`.
  subscript(worker: Int, first: Int, end: Int) -> Int {
    nanoseconds[(worker * blocks + first) * (blocks + 1) + end]
  }

  /// Calls `body` with the costs of ranges that begin at one block, by their end.
  func withCosts<Value>(_ worker: Int, from first: Int, _ body: (UnsafePointer<Int>) -> Value) -> Value? {
    nanoseconds.withUnsafeBufferPointer { all in
      all.baseAddress.map { body($0 + (worker * blocks + first) * (blocks + 1)) }
    }
  }

  /// All costs up to a bound that a stage can have, rising.
  func distinct(upTo bound: Int) -> [Int] {
    var sorted = nanoseconds.filter { $0 <= bound && $0 < Self.never }.sorted()
    var last = -1
    sorted.removeAll { cost in
      defer { last = cost }
      return cost == last
    }
    return sorted
  }

  /// The furthest end of a range from each block that a worker does within `limit`, by worker and first block: the block
  /// itself if it does none.
  func reach(_ limit: Int) -> [Int] {
    (0..<workers).flatMap { worker in
      (0..<blocks).map { first in
        (first + 1...blocks).last { self[worker, first, $0] <= limit } ?? first
      }
    }
  }
}

extension WorkerCapacity {
  /// What a stage takes; not finite if it cannot be done.
  func seconds(operations: Int, handingOver bytes: Int) -> Double {
    Double(operations) / operationsPerSecond + seconds(passing: bytes)
  }

  /// What a stage takes for a step on the average of a run. What passes ahead of time holds nobody up until the link has no
  /// room for more.
  func seconds(meanOperations: Int, behind last: BlockCost?) -> Double {
    let (handedOver, ahead) = (last?.meanStateBytes ?? 0, last?.meanForecastBytes ?? 0)
    return max(
      seconds(operations: meanOperations, handingOver: handedOver), seconds(passing: handedOver + ahead))
  }

  /// What a link takes, which may be none where nothing passes.
  func seconds(passing bytes: Int) -> Double { bytes == 0 ? 0 : Double(bytes) / bytesPerSecond }
}
