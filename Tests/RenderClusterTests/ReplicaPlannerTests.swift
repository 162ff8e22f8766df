import RenderCluster
import Testing

/// How workers are shared out among pipelines side by side.
@Suite struct ReplicaPlannerTests {
  private static func blocks(_ count: Int) -> [BlockCost] {
    [BlockCost](
      repeating: BlockCost(operations: 1_000_000, weightBytes: 100, cacheBytes: 10, stateBytes: 1000), count: count)
  }

  private static func worker(_ name: String, speed: Double = 1e6, memory: Int = 1_000_000) -> WorkerCapacity {
    WorkerCapacity(name: name, operationsPerSecond: speed, memoryBytes: memory, bytesPerSecond: 1e9)
  }

  private func plans(
    blocks: Int, _ workers: [WorkerCapacity], samples: Int = 8, most: Int = .max
  ) throws -> [[String]] {
    let plans = try ReplicaPlanner.plan(
      blocks: Self.blocks(blocks), workers: workers, samples: samples, overheadBytes: 0, most: most)
    for plan in plans { #expect(plan.stages.flatMap { Array($0.blocks) } == Array(0..<blocks)) }
    // Every worker is spoken of once.
    let names = plans.flatMap { $0.stages.map(\.worker) + $0.leftOut.map(\.worker) }
    #expect(names.sorted() == workers.map(\.name).sorted())
    return plans.map { $0.stages.map { "\($0.worker) \($0.blocks)" } }
  }

  @Test func fewBlocksAreNotCutWhereEachWorkerCanHoldThem() throws {
    let workers = ["a", "b"].map { Self.worker($0) }
    #expect(try plans(blocks: 3, workers) == [["a 0..<3"], ["b 0..<3"]])
    #expect(try plans(blocks: 3, workers.reversed()) == [["a 0..<3"], ["b 0..<3"]])
    #expect(try plans(blocks: 3, workers, most: 1) == [["a 0..<2", "b 2..<3"]])
  }

  @Test func manyBlocksAreCutEvenlyInsteadOfBeingHeldTwice() throws {
    #expect(try plans(blocks: 57, ["a", "b"].map { Self.worker($0) }) == [["a 0..<29", "b 29..<57"]])
  }

  @Test func workersThatCannotHoldTheModelAloneShareIt() throws {
    // Room for four of five blocks.
    let small = ["a", "b", "c", "d"].map { Self.worker($0, memory: 480) }
    #expect(try plans(blocks: 5, Array(small.prefix(2))).map(\.count) == [2])
    // Four would do two blocks, one, one and one.
    #expect(try plans(blocks: 5, small).map(\.count) == [2, 2])
    #expect(throws: StagePlanFailure.self) { try plans(blocks: 5, [Self.worker("a", memory: 480)]) }
  }

  @Test func aSlowWorkerGetsNoPicturesOfItsOwn() throws {
    // With a tenth of the blocks it helps; a picture would take ten times as long.
    #expect(
      try plans(blocks: 11, [Self.worker("a"), Self.worker("slow", speed: 1e5)]) == [["a 0..<10", "slow 10..<11"]])
    // One that is a little slower does pictures too.
    #expect(try plans(blocks: 3, [Self.worker("a"), Self.worker("b", speed: 0.8e6)]).count == 2)
  }

  @Test func thereAreNoMoreReplicasThanSamples() throws {
    let workers = (0..<6).map { Self.worker("w\($0)") }
    #expect(try plans(blocks: 7, workers, samples: 1).count == 1)
    // Two samples are not done sooner by two replicas than in one of six stages.
    #expect(try plans(blocks: 7, workers, samples: 2).count == 1)
    #expect(try plans(blocks: 7, workers, samples: 6).count >= 5)
    #expect(try plans(blocks: 7, workers, samples: 6, most: 2).count == 2)
  }

  @Test func sixtyFourWorkersAreSharedOutQuickly() throws {
    let workers = (0..<64).map { Self.worker("w\($0)", speed: 1e6 + Double($0 % 7) * 1e5) }
    #expect(try plans(blocks: 8, workers, samples: 256).count >= 32)
  }
}
