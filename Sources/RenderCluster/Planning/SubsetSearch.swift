/// Cuts among workers in any order, by dynamic programming over the sets of workers: exact, for up to ``maximumWorkers``.
struct SubsetSearch: StageSearch {
  let costs: StageCosts
  /// For each worker the next one that is like it in all but the name; of such, the first in order are used first.
  private let nextAlike: [Int?]

  static let maximumWorkers = 12

  private static let none = 1 << 60

  init(_ costs: StageCosts, _ workers: [WorkerCapacity]) {
    precondition(workers.count <= Self.maximumWorkers, "there would be too many sets of workers")
    self.costs = costs
    func isAlike(_ a: WorkerCapacity, _ b: WorkerCapacity) -> Bool {
      (a.operationsPerSecond, a.memoryBytes, a.bytesPerSecond) == (
        b.operationsPerSecond, b.memoryBytes, b.bytesPerSecond
      )
    }
    nextAlike = workers.indices.map { worker in
      workers.indices.first { $0 > worker && isAlike(workers[worker], workers[$0]) }
    }
  }

  func isPossible(limit: Int, latency: Int) -> Bool {
    let furthest = furthest(costs.reach(limit))
    let sets = furthest.indices.filter { furthest[$0] == costs.blocks }
    guard let fewest = sets.map(\.nonzeroBitCount).min() else { return false }
    // No stage is slower than the limit.
    if fewest * limit <= latency { return true }
    return leastLatency(limit: limit).map { $0 <= latency } ?? false
  }

  func leastLatency(limit: Int) -> Int? {
    guard let table = table(limit) else { return nil }
    return latencies(table).min().flatMap { $0 < Self.none ? $0 : nil }
  }

  func best(limit: Int, latency: Int) -> CutModel? {
    guard let table = table(limit) else { return nil }
    let latencies = latencies(table)
    guard let stages = latencies.firstIndex(where: { $0 <= latency }) else { return nil }
    let (width, least) = (costs.blocks + 1, latencies[stages])
    var sets = (0..<1 << costs.workers).filter { $0.nonzeroBitCount == stages && table[$0 * width] == least }
    var parts: [CutModel.Part] = []
    var (first, rest) = (0, least)
    while first < costs.blocks {
      guard let (part, cost) = next(sets, from: first, rest: rest, limit: limit, table) else { return nil }
      let bit = 1 << part.worker
      (first, rest) = (part.blocks.upperBound, rest - cost)
      sets = sets.filter { $0 & bit != 0 }.map { $0 & ~bit }.filter { table[$0 * width + first] == rest }
      parts.append(part)
    }
    return CutModel(parts, costs)
  }

  /// The first worker in order, then its longest range, from which on the rest can be as short as it shall be.
  private func next(
    _ sets: [Int], from first: Int, rest: Int, limit: Int, _ table: [Int]
  ) -> (CutModel.Part, cost: Int)? {
    let width = costs.blocks + 1
    for worker in 0..<costs.workers {
      for end in (first + 1...costs.blocks).reversed() {
        let cost = costs[worker, first, end]
        guard cost <= limit else { continue }
        let bit = 1 << worker
        if sets.contains(where: { $0 & bit != 0 && table[($0 & ~bit) * width + end] == rest - cost }) {
          return (CutModel.Part(worker: worker, blocks: first..<end), cost)
        }
      }
    }
    return nil
  }

  /// The least sum for all blocks, by the number of stages.
  private func latencies(_ table: [Int]) -> [Int] {
    var least = [Int](repeating: Self.none, count: costs.workers + 1)
    for set in 0..<1 << costs.workers {
      least[set.nonzeroBitCount] = min(least[set.nonzeroBitCount], table[set * (costs.blocks + 1)])
    }
    return least
  }

  /// How far each set of workers gets in the order that is best for it. A worker that begins later, but not with the first
  /// block, to which nothing comes from before, gets at least as far, so that the furthest end is all that counts.
  private func furthest(_ reach: [Int]) -> [Int] {
    var furthest = [Int](repeating: 0, count: 1 << costs.workers)
    for set in 1..<1 << costs.workers {
      for worker in 0..<costs.workers where set & 1 << worker != 0 {
        let before = furthest[set & ~(1 << worker)]
        furthest[set] = max(furthest[set], before < costs.blocks ? reach[worker * costs.blocks + before] : before)
      }
    }
    return furthest
  }

  /// The least sum of stages from a block on that all workers of a set share, by set and block; nil where no set gets
  /// through.
  private func table(_ limit: Int) -> [Int]? {
    let (blocks, width, sets) = (costs.blocks, costs.blocks + 1, 1 << costs.workers)
    let reach = costs.reach(limit)
    let furthest = furthest(reach)
    guard furthest[sets - 1] == blocks else { return nil }
    var table = [Int](repeating: Self.none, count: sets * width)
    // The first block of each set that has a finite sum.
    var lowest = [Int](repeating: width, count: sets)
    table[blocks] = 0
    lowest[0] = blocks
    table.withUnsafeMutableBufferPointer { table in
      for set in 1..<sets {
        // The others must get to the first block of these.
        let others = furthest[(sets - 1) & ~set]
        for worker in 0..<costs.workers where set & 1 << worker != 0 {
          let rest = set & ~(1 << worker)
          guard lowest[rest] <= blocks, isInTurn(worker, before: rest) else { continue }
          for first in 0..<min(blocks, others + 1) {
            let last = reach[worker * blocks + first]
            let begin = max(first + 1, lowest[rest])
            guard begin <= last else { continue }
            var least = table[set * width + first]
            costs.withCosts(worker, from: first) { costs in
              for end in begin...last where costs[end] <= limit {
                least = min(least, costs[end] + table[rest * width + end])
              }
            }
            table[set * width + first] = least
            if least < Self.none { lowest[set] = min(lowest[set], first) }
          }
        }
      }
    }
    return table
  }

  /// Of workers that are alike, one stands directly in front of the next.
  private func isInTurn(_ worker: Int, before rest: Int) -> Bool {
    var next = nextAlike[worker]
    guard let first = next else { return true }
    if rest & 1 << first != 0 { return true }
    while let alike = next {
      if rest & 1 << alike != 0 { return false }
      next = nextAlike[alike]
    }
    return true
  }
}
