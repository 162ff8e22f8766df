import Testing

@testable import RenderCluster

/// The heuristic for many workers, beside the exact search on few.
@Suite struct OrderedSearchTests {
  /// The best period over the orders that the planner tries; nil if none has a cut.
  private func heuristic(_ costs: StageCosts, _ workers: [WorkerCapacity], inFlight: Int) -> Int? {
    StagePlanner.orders(workers).compactMap { order in
      OrderedSearch(costs: costs, order: order).optimum(
        inFlight: inFlight, bound: StageCosts.longest(blocks: costs.blocks),
        candidates: costs.distinct(upTo: StageCosts.never))?.period(inFlight: inFlight)
    }.min()
  }

  @Test func itIsNeverBetterThanTheExactSearchAndRarelyMuchWorse() throws {
    var (compared, equal, missed, worst) = (0, 0, 0, 1.0)
    for seed in 0..<400 {
      let all = PlanEnumeration.random(seed: UInt64(seed))
      let costs = StageCosts(all.blocks, all.workers, samples: 1, overhead: all.overheadBytes)
      let inFlight = min(all.samplesInFlight, all.workers.count, all.blocks.count)
      let exact = SubsetSearch(costs, all.workers).optimum(
        inFlight: inFlight, bound: StageCosts.longest(blocks: costs.blocks),
        candidates: costs.distinct(upTo: StageCosts.never))
      let found = heuristic(costs, all.workers, inFlight: inFlight)
      guard let exact else {
        #expect(found == nil)
        continue
      }
      compared += 1
      guard let found else {
        missed += 1
        continue
      }
      let best = exact.period(inFlight: inFlight)
      #expect(found >= best, "seed \(seed)")
      if found == best { equal += 1 }
      worst = max(worst, Double(found) / Double(best))
    }
    #expect(compared > 200 && equal * 10 > compared * 9 && missed * 20 < compared && worst < 2.5)
  }
}
