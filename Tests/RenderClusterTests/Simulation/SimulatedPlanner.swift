@testable import RenderCluster

/// Cuts evenly, with as many workers as possible; for simulations, in which time matters and plans need not be good.
enum SimulatedPlanner {
  static let plan: Planning = { blocks, workers, samples, activationBytes in
    let sorted = workers.sorted { $0.name < $1.name }
    var best: StagePlan?
    for count in (1...max(1, min(sorted.count, blocks.count))).reversed() where count <= sorted.count {
      for first in 0...sorted.count - count {
        guard let plan = cut(blocks, Array(sorted[first..<first + count]), activationBytes) else { continue }
        if best.map({ plan.interval < $0.interval }) ?? true { best = plan }
      }
      if let best { return .success(best) }
    }
    return .failure(StagePlanFailure.doesNotFit(blocks, sorted, overhead: activationBytes))
  }

  private static func cut(_ blocks: [BlockCost], _ workers: [WorkerCapacity], _ overhead: Int) -> StagePlan? {
    var stages: [StagePlan.Stage] = []
    var begin = 0
    for (index, worker) in workers.enumerated() {
      let left = workers.count - index
      var end = begin
      var (weights, caches) = (0, 0)
      let most = (blocks.count - begin + left - 1) / left
      while end < blocks.count, end - begin < (index + 1 == workers.count ? blocks.count : most) {
        let (block, most) = (blocks[end], worker.memoryBytes)
        guard weights + block.weightBytes + caches + block.cacheBytes + overhead <= most else { break }
        (weights, caches, end) = (weights + block.weightBytes, caches + block.cacheBytes, end + 1)
      }
      guard end > begin else { return nil }
      let operations = blocks[begin..<end].reduce(0) { $0 + $1.operations }
      stages.append(
        .init(
          worker: worker.name, blocks: begin..<end,
          seconds: worker.seconds(operations: operations, handingOver: blocks[end - 1].stateBytes),
          weightBytes: weights, cacheBytes: caches,
          samples: caches == 0 ? StagePlan.mostSamples : (worker.memoryBytes - overhead - weights) / caches))
      begin = end
    }
    guard begin == blocks.count else { return nil }
    return StagePlan(
      stages: stages, leftOut: [], samples: stages.map(\.samples).min() ?? 0,
      latency: stages.reduce(0) { $0 + $1.seconds }, interval: stages.map(\.seconds).max() ?? 0)
  }
}
