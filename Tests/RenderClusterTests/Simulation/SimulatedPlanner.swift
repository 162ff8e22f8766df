@testable import RenderCluster

/// Cuts evenly, with as many workers as possible; for simulations, in which time matters and plans need not be good.
enum SimulatedPlanner {
  /// A single pipeline.
  static let plan: Planning = { blocks, workers, samples, overheadBytes in
    let sorted = workers.sorted { $0.name < $1.name }
    var best: StagePlan?
    for count in (1...max(1, min(sorted.count, blocks.count))).reversed() where count <= sorted.count {
      for first in 0...sorted.count - count {
        guard let plan = cut(blocks, Array(sorted[first..<first + count]), overheadBytes) else { continue }
        if best.map({ plan.interval < $0.interval }) ?? true { best = plan }
      }
      if let best { return .success([best]) }
    }
    return .failure(StagePlanFailure.doesNotFit(blocks, sorted, overhead: overheadBytes))
  }

  /// Two pipelines where each half of the workers can hold the model, and there is something for both to do.
  static let planSideBySide: Planning = { blocks, workers, samples, overheadBytes in
    let sorted = workers.sorted { $0.name < $1.name }
    let halves = [0, 1].map { half in sorted.indices.filter { $0 % 2 == half }.map { sorted[$0] } }
    guard samples > 1, halves.allSatisfy({ !$0.isEmpty }) else {
      return plan(blocks, workers, samples, overheadBytes)
    }
    let plans = halves.compactMap { try? plan(blocks, $0, samples, overheadBytes).get() }
    return plans.count == 2 ? .success(plans.flatMap(\.self)) : plan(blocks, workers, samples, overheadBytes)
  }

  private static func cut(_ blocks: [BlockCost], _ workers: [WorkerCapacity], _ overhead: Int) -> StagePlan? {
    var stages: [StagePlan.Stage] = []
    var begin = 0
    for (index, worker) in workers.enumerated() {
      let left = workers.count - index
      var end = begin
      var weights = 0
      let most = (blocks.count - begin + left - 1) / left
      while end < blocks.count, end - begin < (index + 1 == workers.count ? blocks.count : most) {
        weights += blocks[end].weightBytes
        guard weights + blocks.sampleBytes(begin..<end + 1) + overhead <= worker.memoryBytes else { break }
        end += 1
      }
      guard end > begin else { return nil }
      stages.append(StagePlan.Stage(worker, begin..<end, blocks, overhead: overhead))
      begin = end
    }
    guard begin == blocks.count else { return nil }
    return StagePlan(
      stages: stages, leftOut: [], samples: stages.map(\.samples).min() ?? 0,
      latency: stages.reduce(0) { $0 + $1.seconds }, interval: stages.map(\.seconds).max() ?? 0)
  }
}
