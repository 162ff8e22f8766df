import RenderCluster
import Testing

/// How blocks are cut among workers.
@Suite struct StagePlanTests {
  private static func blocks(_ count: Int, operations: Int = 1_000_000, weights: Int = 100, cache: Int = 10)
    -> [BlockCost]
  {
    [BlockCost](
      repeating: BlockCost(operations: operations, weightBytes: weights, cacheBytes: cache, stateBytes: 1000),
      count: count)
  }

  private static func worker(
    _ name: String, speed: Double = 1e6, memory: Int = 1_000_000, link: Double = 1e9
  ) -> WorkerCapacity {
    WorkerCapacity(name: name, operationsPerSecond: speed, memoryBytes: memory, bytesPerSecond: link)
  }

  private func plan(
    _ blocks: [BlockCost], _ workers: [WorkerCapacity], samples: Int = 8, activations: Int = 0
  ) throws -> StagePlan {
    let plan = try StagePlanner.plan(
      blocks: blocks, workers: workers, samplesInFlight: samples, overheadBytes: activations)
    // Whatever else is asked: every block is somewhere, and every worker is spoken of once.
    #expect(plan.stages.flatMap { Array($0.blocks) } == Array(blocks.indices))
    #expect((plan.stages.map(\.worker) + plan.leftOut.map(\.worker)).sorted() == workers.map(\.name).sorted())
    return plan
  }

  private func ranges(_ plan: StagePlan) -> [String] { plan.stages.map { "\($0.worker) \($0.blocks)" } }

  @Test func equalWorkersGetEqualRanges() throws {
    let plan = try plan(Self.blocks(12), ["a", "b", "c", "d"].map { Self.worker($0) })
    #expect(ranges(plan) == ["a 0..<3", "b 3..<6", "c 6..<9", "d 9..<12"])
    #expect(abs(plan.interval - 3.000001) < 1e-9 && abs(plan.latency - 12.000004) < 1e-9)
  }

  @Test func cachedStepsCountLikeFullOnes() throws {
    // Full steps are alike; at cached ones the first block takes as long as in full, and the others nothing.
    let blocks = (0..<6).map { block in
      BlockCost(
        operations: 1000, meanOperations: block == 0 ? 1000 : 200, weightBytes: 1, cacheBytes: 1, stateBytes: 0)
    }
    let workers = ["a", "b"].map {
      WorkerCapacity(name: $0, operationsPerSecond: 1000, memoryBytes: 1000, bytesPerSecond: 1e9)
    }
    let plan = try StagePlanner.plan(blocks: blocks, workers: workers, samplesInFlight: 2, overheadBytes: 0)
    #expect(plan.stages.map(\.blocks) == [0..<1, 1..<6])
    // What is said of full steps stays what they take.
    #expect(plan.stages.map(\.seconds) == [1, 5])
  }

  @Test func aWorkerTwiceAsFastGetsTwiceTheBlocks() throws {
    let plan = try plan(Self.blocks(9), [Self.worker("a"), Self.worker("b", speed: 2e6)])
    #expect(plan.stages.first { $0.worker == "b" }?.blocks.count == 6)
    #expect(plan.stages.first { $0.worker == "a" }?.blocks.count == 3)
  }

  @Test func aWorkerWithLittleMemoryGetsWhatFits() throws {
    // Room for two blocks' weights and one sample's features of them, beside the activations.
    let plan = try plan(
      Self.blocks(10), [Self.worker("a", memory: 270), Self.worker("b")], samples: 1, activations: 50)
    #expect(ranges(plan) == ["b 0..<10"])
    let tight = try self.plan(
      Self.blocks(10), [Self.worker("a", memory: 270), Self.worker("b", memory: 930)], activations: 50)
    #expect(tight.stages.first { $0.worker == "a" }?.blocks.count == 2)
    #expect(tight.stages.map(\.samples) == [1, 1] && tight.samples == 1)
    #expect(tight.stages.first { $0.worker == "a" }?.weightBytes == 200)
    #expect(tight.stages.first { $0.worker == "a" }?.cacheBytes == 20)
  }

  @Test func aWorkerTooSlowToHelpIsLeftOut() throws {
    let plan = try plan(Self.blocks(8), [Self.worker("a"), Self.worker("b"), Self.worker("slow", speed: 1e5)])
    #expect(ranges(plan) == ["a 0..<4", "b 4..<8"])
    #expect(
      plan.leftOut.map(\.reason) == ["it would take 10.0 s for a single block, longer than the slowest stage, 4.0 s"])
  }

  @Test func aWorkerTooSmallForABlockIsLeftOut() throws {
    let plan = try plan(Self.blocks(4), [Self.worker("a"), Self.worker("small", memory: 100)], activations: 7)
    #expect(
      plan.leftOut.map(\.reason) == [
        "its memory of 100 bytes has no room for a block, of which the smallest needs 117 bytes"
      ])
  }

  @Test func workersWithoutSpeedOrLinkAreLeftOut() throws {
    let plan = try plan(
      Self.blocks(2), [Self.worker("a"), Self.worker("b", speed: 0), Self.worker("c", link: 0)])
    #expect(plan.leftOut.map(\.reason) == ["its speed is 0", "its link has a speed of 0"])
  }

  @Test func aSlowLinkCountsLikeSlowBlocks() throws {
    // Handing over takes 10 s, computing all of the blocks 4 s: one worker alone is faster than two.
    let workers = [Self.worker("a", link: 100), Self.worker("b", link: 100)]
    let alone = try plan(Self.blocks(4), workers)
    #expect(alone.stages.count == 2)
    var blocks = Self.blocks(4)
    blocks[3].stateBytes = 0
    #expect(ranges(try plan(blocks, workers)) == ["a 0..<4"])
  }

  @Test func oneBlockGoesToTheFastestWorker() throws {
    let plan = try plan(Self.blocks(1), [Self.worker("a"), Self.worker("b", speed: 3e6), Self.worker("c", speed: 2e6)])
    #expect(ranges(plan) == ["b 0..<1"])
    #expect(
      plan.leftOut.count == 2
        && plan.leftOut.allSatisfy {
          $0.reason.hasPrefix("with it no plan is faster") || $0.reason.hasPrefix("it would take")
        })
  }

  @Test func moreWorkersThanBlocksLeavesWorkersOut() throws {
    let plan = try plan(Self.blocks(3), (0..<5).map { Self.worker("w\($0)") })
    #expect(ranges(plan) == ["w0 0..<1", "w1 1..<2", "w2 2..<3"])
    #expect(
      plan.leftOut.map(\.reason)
        == [String](repeating: "with it no plan is faster than with the others alone", count: 2))
  }

  @Test func oneSampleAtATimeGoesToTheFastestWorkerAlone() throws {
    let plan = try plan(Self.blocks(8), [Self.worker("a"), Self.worker("b", speed: 1.5e6)], samples: 1)
    #expect(ranges(plan) == ["b 0..<8"])
  }

  @Test func theOrderOfTheWorkersDoesNotCount() throws {
    let workers = (0..<7).map { Self.worker("w\($0)", speed: Double(1 + $0 % 3) * 1e6, memory: 400 + 100 * $0) }
    let expected = try plan(Self.blocks(20), workers, samples: 3)
    #expect(try plan(Self.blocks(20), workers.reversed(), samples: 3) == expected)
    #expect(try plan(Self.blocks(20), Array(workers[3...] + workers[..<3]), samples: 3) == expected)
  }

  @Test(arguments: 0..<12) func noCutAndNoOrderIsBetter(batch: Int) throws {
    var possible = 0
    for seed in batch * 50..<batch * 50 + 50 {
      let all = PlanEnumeration.random(seed: UInt64(seed))
      let best = all.best
      do {
        let found = try plan(
          all.blocks, all.workers, samples: all.samplesInFlight, activations: all.overheadBytes)
        #expect(all.value(found) == best, "seed \(seed)")
        possible += 1
      } catch is StagePlanFailure {
        #expect(best == nil, "seed \(seed)")
      }
    }
    #expect((10..<50).contains(possible), "most cases should be possible, and some not")
  }

  @Test func twelveUnequalWorkersAreCutQuickly() throws {
    let workers = (0..<12).map {
      Self.worker("w\($0)", speed: Double(10 + 7 * $0 % 23) * 1e5, memory: 900 + 211 * $0 % 1700, link: 1e6)
    }
    for samples in [1, 2, 4, 16] {
      let start = ContinuousClock.now
      let plan = try plan(Self.blocks(64), workers, samples: samples)
      #expect(start.duration(to: .now) < .seconds(3))
      #expect(!plan.stages.isEmpty)
    }
  }

  @Test func manyWorkersOfLittleMemoryAreCutQuickly() throws {
    let workers = (0..<64).map {
      Self.worker("w\($0 + 10)", speed: Double(10 + 7 * $0 % 23) * 1e5, memory: 300 + 61 * $0 % 700, link: 1e6)
    }
    let start = ContinuousClock.now
    let plan = try plan(Self.blocks(64), workers, samples: 64)
    let duration = start.duration(to: .now)
    #expect(duration < .seconds(1) && plan.stages.count > 7)
  }

  @Test func sixtyFourWorkersAreCutNearlyAsWellAsCanBe() throws {
    let workers = (0..<64).map { Self.worker("w\($0 + 10)", speed: Double(10 + 7 * $0 % 23) * 1e5, link: 1e6) }
    let start = ContinuousClock.now
    let plan = try plan(Self.blocks(64), workers, samples: 64)
    #expect(start.duration(to: .now) < .seconds(1))
    // No plan is faster than a block on the fastest worker, or all blocks over all workers at once.
    let fastest = workers.map(\.operationsPerSecond).max() ?? 1
    let atOnce = 64e6 / workers.map(\.operationsPerSecond).reduce(0, +)
    #expect(plan.interval < 2 * max(atOnce, 1e6 / fastest))
  }

  @Test func whatDoesNotFitIsSaidInNumbers() throws {
    var blocks = Self.blocks(5, weights: 500_000_000, cache: 100_000_000)
    blocks[3].weightBytes = 1_050_000_000
    let workers = [Self.worker("a", memory: 900_000_000), Self.worker("b", memory: 800_000_000)]
    let failure = #expect(throws: StagePlanFailure.self) {
      try plan(blocks, workers, activations: 50_000_000)
    }
    #expect(
      failure?.description == "No set of these workers can hold the model: block 3 needs 1.2 GB with what it keeps and "
        + "computes of one sample and 50.0 MB that every stage takes, but the largest worker has 900.0 MB.")
    blocks[3].weightBytes = 500_000_000
    #expect(
      #expect(throws: StagePlanFailure.self) { try plan(blocks, workers, activations: 50_000_000) }?.description
        == "No set of these workers can hold the model: its blocks need 3.0 GB with the features of one sample, and the "
        + "2 workers have 1.7 GB, of which every stage takes 50.0 MB for itself.")
    #expect(
      #expect(throws: StagePlanFailure.self) { try plan(blocks, [Self.worker("a", memory: 2_000_000_000)]) }?
        .description
        .contains("and the only worker has 2.0 GB, of which") == true)
    // Enough for all blocks, but each worker has room for one only.
    let halves = (0..<5).map { Self.worker("w\($0)", memory: 1_150_000_000) }
    #expect(
      #expect(throws: StagePlanFailure.self) {
        try plan(Self.blocks(6, weights: 500_000_000, cache: 100_000_000), halves)
      }?.description.hasSuffix("; that would do, but not for whole blocks that follow each other.") == true)
    #expect(
      #expect(throws: StagePlanFailure.self) { try plan(blocks, []) }?.description
        == "There are no workers to hold the model.")
  }
}
