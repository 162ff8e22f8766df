import RenderCluster
import Testing

/// What a plan promises for pictures.
@Suite struct PlanForecastTests {
  private static let blocks = [BlockCost](
    repeating: BlockCost(operations: 1_000_000, weightBytes: 1, cacheBytes: 100, stateBytes: 0), count: 4)

  private func forecast(samples: Int, memory: Int = 1_000_000, rows: Int = 1) throws -> PlanForecast {
    let workers = ["a", "b"].map {
      WorkerCapacity(name: $0, operationsPerSecond: 1e6, memoryBytes: memory, bytesPerSecond: 1e9)
    }
    let plan = try StagePlanner.plan(
      blocks: Self.blocks, workers: workers, samplesInFlight: samples, overheadBytes: 0)
    return PlanForecast(
      plan, blocks: Self.blocks, cachedOperations: [Int](repeating: 100_000, count: 4), workers: workers, fullSteps: 3,
      cachedSteps: 10, rows: rows, samplesInFlight: samples)
  }

  @Test func aPictureAloneGoesThroughAllStagesAtEveryStep() throws {
    let forecast = try forecast(samples: 8)
    #expect(forecast.plan.stages.count == 2)
    #expect(abs(forecast.secondsAlone - (3 * 4 + 10 * 0.4)) < 1e-9)
  }

  @Test func enoughSamplesKeepAllStagesBusy() throws {
    let forecast = try forecast(samples: 8)
    #expect(abs(forecast.secondsPerPicture - 8) < 1e-9 && abs(forecast.picturesPerHour - 450) < 1e-6)
    let guided = try self.forecast(samples: 8, rows: 2)
    #expect(abs(guided.picturesPerHour - 225) < 1e-6)
  }

  @Test func samplesThatHaveNoRoomAreNotCounted() throws {
    // Two blocks and the features of one sample a worker.
    let forecast = try forecast(samples: 8, memory: 250)
    #expect(forecast.samplesInFlight == 1)
    #expect(abs(forecast.secondsPerPicture - forecast.secondsAlone) < 1e-9)
  }

  /// Blocks of a second, links of 1000 bytes a second.
  private func linked(
    stateBytes: Int = 1000, cachedStateBytes: Int, forecastBytes: Int, stepsAhead: Int
  ) throws -> PlanForecast {
    let workers = ["a", "b"].map {
      WorkerCapacity(name: $0, operationsPerSecond: 1e6, memoryBytes: 3000, bytesPerSecond: 1000)
    }
    var blocks = [BlockCost](
      repeating: BlockCost(
        operations: 1_000_000, weightBytes: 1000, cacheBytes: 100, stateBytes: stateBytes,
        cachedStateBytes: cachedStateBytes, forecastBytes: forecastBytes), count: 4)
    blocks[3] = BlockCost(operations: 1_000_000, weightBytes: 1000, cacheBytes: 100, stateBytes: 0)
    let plan = try StagePlanner.plan(blocks: blocks, workers: workers, samplesInFlight: 1, overheadBytes: 0)
    return PlanForecast(
      plan, blocks: blocks, cachedOperations: [Int](repeating: 100_000, count: 4), workers: workers, fullSteps: 3,
      cachedSteps: 10, stepsAhead: stepsAhead, rows: 1, samplesInFlight: 8)
  }

  @Test func aCachedStepWaitsForItsOwnHandOverAlone() throws {
    let whole = try linked(cachedStateBytes: 1000, forecastBytes: 0, stepsAhead: 0)
    #expect(whole.plan.stages.count == 2)
    #expect(abs(whole.secondsAlone - (3 * 5 + 10 * 1.4)) < 1e-9)
    // Two forecasts pass in as long as the second stage computes.
    let cut = try linked(cachedStateBytes: 100, forecastBytes: 1000, stepsAhead: 2)
    #expect(abs(cut.secondsAlone - (3 * 5 + 10 * 0.5)) < 1e-9)
  }

  @Test func whatIsKnownAheadIsWaitedForWhereItPassesForLongerThanTheNextStageComputes() throws {
    let forecast = try linked(cachedStateBytes: 100, forecastBytes: 2000, stepsAhead: 2)
    #expect(abs(forecast.secondsAlone - (3 * 5 + 10 * 0.5 + 5 * (4 - 2))) < 1e-9)
  }

  @Test func aLinkCanBeTheBusiest() throws {
    let forecast = try linked(cachedStateBytes: 100, forecastBytes: 4000, stepsAhead: 1)
    #expect(abs(forecast.secondsPerPicture - (3 * 1 + 10 * 4.1)) < 1e-9)
  }
}
