/// Cuts the blocks of a model into stages, a contiguous range a worker, so that samples follow each other as fast as they
/// can.
///
/// The period from sample to sample is max(slowest stage, latency / samples in flight), where a stage takes, on the average
/// of a run's full and cached steps, mean operations / speed + handed over bytes / link, and no more samples are in flight than have room for their caches on
/// every stage. Of plans with the same period the one with the fewest stages is taken, then the one of the least latency,
/// then, stage by stage, the first name and the longest range.
///
/// Up to ``SubsetSearch/maximumWorkers`` workers the plan is the best there is. Of more, cuts are exact for a few orders
/// of the workers only (by speed, memory and link), and of fewer samples in flight than asked for only every half is looked
/// at. Of small random cases with an exact plan, nine in ten come out as well, and the worst takes twice as long.
///
/// The plan depends on nothing but the arguments: the order of the workers does not count.
public enum StagePlanner {
  /// - Parameters:
  ///   - blocks: of the whole model.
  ///   - workers: of different names.
  ///   - samplesInFlight: how many samples are rendered at once; at least 1.
  ///   - overheadBytes: what any stage needs beside what its blocks do.
  /// - Throws: ``StagePlanFailure`` with the numbers, if the workers cannot hold the model.
  public static func plan(
    blocks: [BlockCost], workers: [WorkerCapacity], samplesInFlight: Int, overheadBytes: Int
  ) throws(StagePlanFailure) -> StagePlan {
    precondition(!blocks.isEmpty, "a model has blocks")
    let named = workers.sorted { $0.name < $1.name }
    let usable = named.filter { $0.operationsPerSecond > 0 && $0.bytesPerSecond > 0 }
    guard !usable.isEmpty else {
      throw StagePlanFailure(
        workers.isEmpty
          ? "There are no workers to hold the model."
          : "None of the \(workers.count) workers has a speed and a link above 0.")
    }
    let most = max(1, min(samplesInFlight, usable.count, blocks.count))
    var best: (cut: CutModel, period: Int)?
    var last: StageCosts?
    // Samples in flight need room, so that fewer of them may allow for a better cut.
    for inFlight in counts(upTo: most, areAll: usable.count <= SubsetSearch.maximumWorkers) {
      let costs = StageCosts(blocks, usable, samples: inFlight, overhead: overheadBytes)
      if costs == last { continue }
      last = costs
      guard let cut = optimum(costs, usable, inFlight: inFlight, bound: best?.period) else { continue }
      let period = cut.period(inFlight: inFlight)
      if let known = best, !isBetter((cut, period), known) { continue }
      best = (cut, period)
    }
    guard let best else { throw .doesNotFit(blocks, usable, overhead: overheadBytes) }
    return plan(best.cut, blocks, usable: usable, all: named, overhead: overheadBytes)
  }

  /// How many samples in flight are looked at: all numbers, or every half.
  private static func counts(upTo most: Int, areAll: Bool) -> [Int] {
    if areAll { return (1...most).reversed() }
    return Array(sequence(first: most) { $0 > 1 ? $0 / 2 : nil })
  }

  private static func isBetter(_ a: (cut: CutModel, period: Int), _ b: (cut: CutModel, period: Int)) -> Bool {
    (a.period, a.cut.parts.count, a.cut.latency) < (b.period, b.cut.parts.count, b.cut.latency)
  }

  private static func optimum(
    _ costs: StageCosts, _ workers: [WorkerCapacity], inFlight: Int, bound: Int?
  ) -> CutModel? {
    let searches = orders(workers).map { OrderedSearch(costs: costs, order: $0) }
    let reached = searches.lazy.compactMap { $0.nearlyShortestPeriod(inFlight: inFlight) }.first
    // Where no order of the heuristic fits, some other may.
    var bound = min(bound ?? .max, reached ?? StageCosts.longest(blocks: costs.blocks))
    let candidates = costs.distinct(upTo: bound)
    var best: CutModel?
    for search in searches {
      guard let cut = search.optimum(inFlight: inFlight, bound: bound, candidates: candidates) else { continue }
      let period = cut.period(inFlight: inFlight)
      if let known = best, !isBetter((cut, period), (known, known.period(inFlight: inFlight))) { continue }
      (best, bound) = (cut, period)
    }
    guard workers.count <= SubsetSearch.maximumWorkers else { return best }
    return SubsetSearch(costs, workers).optimum(inFlight: inFlight, bound: bound, candidates: candidates)
  }

  /// The orders that are tried: by speed, memory and link, the best first and last.
  static func orders(_ workers: [WorkerCapacity]) -> [[Int]] {
    func sorted(_ value: (WorkerCapacity) -> Double) -> [Int] {
      workers.indices.sorted { a, b in
        let (first, second) = (value(workers[a]), value(workers[b]))
        return first != second ? first > second : a < b
      }
    }
    let (speed, memory) = (sorted(\.operationsPerSecond), sorted { Double($0.memoryBytes) })
    let link = sorted(\.bytesPerSecond)
    return [speed, memory, link].flatMap { [$0, $0.reversed()] }
  }

  private static func plan(
    _ cut: CutModel, _ blocks: [BlockCost], usable: [WorkerCapacity], all: [WorkerCapacity], overhead: Int
  ) -> StagePlan {
    let stages = cut.parts.map { part in
      StagePlan.Stage(usable[part.worker], part.blocks, blocks, overhead: overhead)
    }
    let interval = stages.map(\.seconds).max() ?? 0
    let taken = Set(stages.map(\.worker))
    return StagePlan(
      stages: stages,
      leftOut: all.filter { !taken.contains($0.name) }.map { worker in
        StagePlan.LeftOut(
          worker: worker.name, reason: reason(worker, blocks, interval: interval, overhead: overhead))
      })
  }

  private static func reason(
    _ worker: WorkerCapacity, _ blocks: [BlockCost], interval: Double, overhead: Int
  ) -> String {
    guard worker.operationsPerSecond > 0 else { return "its speed is 0" }
    guard worker.bytesPerSecond > 0 else { return "its link has a speed of 0" }
    let room = worker.memoryBytes - overhead
    let needs = blocks.bytesAlone
    let fitting = blocks.indices.filter { needs[$0] <= room }
    let bytes = StagePlanFailure.bytes
    let smallest = (needs.min() ?? 0) + overhead
    let times = fitting.map { index in
      worker.seconds(operations: blocks[index].operations, handingOver: blocks[index].stateBytes)
    }
    guard let quickest = times.min() else {
      return "its memory of \(bytes(worker.memoryBytes)) has no room for a block, of which the smallest needs "
        + bytes(smallest)
    }
    if quickest > interval {
      return "it would take \(seconds(quickest)) for a single block, longer than the slowest stage, "
        + seconds(interval)
    }
    return "with it no plan is faster than with the others alone"
  }

  private static func seconds(_ value: Double) -> String {
    if value >= 1 { return "\(StagePlanFailure.tenths(value)) s" }
    return value >= 1e-3
      ? "\(StagePlanFailure.tenths(value * 1e3)) ms" : "\(StagePlanFailure.tenths(value * 1e6)) µs"
  }
}
