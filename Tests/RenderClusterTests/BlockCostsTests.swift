import FeatureCaching
import RenderCluster
import Rendering
import Tensors
import Testing
import Transformers

/// What a model's blocks cost, beside what loading them really takes.
@Suite struct BlockCostsTests {
  static let checkpoints =
    #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Fixtures/reference/checkpoints/"

  private static func model(_ name: String) throws -> any RenderModel {
    try RenderModels.open(.folder(checkpoints + name))
  }

  private static let policy = TaylorSeer(schedule: IntervalSchedule(interval: 4, enhancedSteps: 2), maximumOrder: 1)

  @Test(
    arguments: ["flux-dev-tiny", "flux-schnell-tiny", "dit-tiny", "dit-tiny-untied", "hunyuan-tiny"],
    [Precision.float32, .bfloat16])
  func weightsAddUpToWhatAStageLoads(name: String, precision: Precision) throws {
    let model = try Self.model(name)
    let side = model.hasFixedSize ? model.defaults.width : 8 * model.sizeMultiple
    let grid = model.grid(width: side, height: side, frames: model.framesPerLatent == nil ? 1 : 9)
    let costs = try model.blockCosts(grid: grid, textTokens: 7, policy: Self.policy, precision: precision)
    let shared = try model.stageBytes(precision) - MemoryEstimate.programBytes
    #expect(shared >= 0)
    for first in costs.indices {
      for end in first + 1...costs.count {
        let loaded = try model.loadTransformer(precision, blocks: first..<end).weightBytes
        let planned = shared + costs[first..<end].reduce(0) { $0 + $1.weightBytes }
        // A stage that holds the first block and the last has the first one's embedder for the output, too.
        #expect(planned >= loaded, "\(first)..<\(end)")
        #expect(planned - loaded <= (name == "dit-tiny-untied" && first == 0 ? planned / 2 : 0), "\(first)..<\(end)")
      }
    }
  }

  @Test(arguments: ["flux-dev-tiny", "dit-tiny", "hunyuan-tiny"])
  func operationsAndCachesAddUpToTheWholeModels(name: String) throws {
    let model = try Self.model(name)
    let side = model.hasFixedSize ? model.defaults.width : 8 * model.sizeMultiple
    let grid = model.grid(width: side, height: side, frames: model.framesPerLatent == nil ? 1 : 9)
    let costs = try model.blockCosts(grid: grid, textTokens: 7, policy: Self.policy, precision: .float32)
    let whole = model.cost(grid, textTokens: 7)
    #expect(
      costs.reduce(0) { $0 + $1.operations }
        == whole.branches.reduce(0) { $0 + $1.operations } + whole.outsideOfBranches)
    #expect(
      costs.reduce(0) { $0 + $1.cacheBytes }
        == whole.branches.reduce(MemoryEstimate.conditioningBytes(whole.modulationOutputs, steps: 64)) {
          $0 + Self.policy.byteCount($1)
        } + whole.forecastBytes(Self.policy))
    #expect(costs.allSatisfy { $0.operations > 0 && $0.weightBytes > 0 && $0.cacheBytes > 0 })
  }

  @Test(arguments: [Precision.float32, .bfloat16, .int8])
  func blocksOfBothKindsTakeMoreOnTheWayThanThoseOfOne(precision: Precision) throws {
    let branches = try Self.model("flux-dev-tiny").cost(TokenGrid(rows: 4, columns: 6), textTokens: 7).branches
    func total(_ branches: [BranchShape], tokens: Int = 31) -> Int {
      ActivationBytes(branches, tokens: tokens, precision).total
    }
    let (single, double) = (
      branches.filter { $0.branch.stream == .joint }, branches.filter { $0.branch.stream != .joint }
    )
    let kinds = [total(single), total(double)].sorted()
    #expect(!single.isEmpty && !double.isEmpty && kinds[0] > 0)
    #expect(total(branches) > kinds[1] && total(branches) < kinds[0] + kinds[1])
    #expect(total(Array(single.prefix(1))) == total(single) && total(single, tokens: 62) == 2 * total(single))
    var merged = ActivationBytes(single, tokens: 31, precision)
    merged.merge(ActivationBytes(double, tokens: 31, precision))
    #expect(merged == ActivationBytes(branches, tokens: 31, precision))
  }

  @Test func theMeanOfARunLiesBetweenItsFullAndItsCachedSteps() throws {
    let model = try Self.model("flux-dev-tiny")
    let grid = model.grid(width: 64, height: 64, frames: 1)
    func costs(_ cache: CacheSettings) throws -> [BlockCost] {
      try model.blockCosts(grid: grid, textTokens: 16, policy: cache.policy, steps: 20, precision: .float32)
    }
    let uncached = try costs(CacheSettings.flux.using(.none))
    #expect(uncached.allSatisfy { $0.meanOperations == $0.operations })
    let cached = try costs(CacheSettings.flux.using(.fora))
    // 3 full steps at the beginning, then one in 5.
    #expect(zip(cached, uncached).allSatisfy { $0.operations == $1.operations })
    #expect(cached.allSatisfy { $0.meanOperations > $0.operations / 4 && $0.meanOperations < $0.operations * 3 / 4 })
  }

  @Test func whatIsHandedOverIsHiddenStatesAndAtTheEndTheOutput() throws {
    let model = try Self.model("flux-dev-tiny")
    let grid = TokenGrid(rows: 4, columns: 6)
    let costs = try model.blockCosts(grid: grid, textTokens: 7, policy: NoCaching(), precision: .float32)
    let whole = try model.loadTransformer(.float32, blocks: nil)
    let width = model.cost(grid, textTokens: 7).branches[0].width
    #expect(costs.dropLast().allSatisfy { $0.stateBytes == (24 + 7) * width * 4 })
    #expect(costs.last?.stateBytes == 24 * whole.outputChannels * 4)
    #expect(costs.allSatisfy { $0.cachedStateBytes == $0.stateBytes && $0.forecastBytes == 0 })
    #expect(costs.dropLast().allSatisfy { $0.transitBytes == $0.stateBytes } && costs.last?.transitBytes == 0)
  }

  @Test func atCachedStepsRowsOfFreshTokensAreHandedOverAndForecastsBefore() throws {
    let model = try Self.model("flux-dev-tiny")
    let grid = TokenGrid(rows: 4, columns: 6)
    let width = model.cost(grid, textTokens: 7).branches[0].width
    func costs(_ method: CacheSettings.Method) throws -> [BlockCost] {
      let cache = CacheSettings.flux.using(method)
      return try model.blockCosts(grid: grid, textTokens: 7, policy: cache.policy, steps: 20, precision: .float32)
    }
    let split = try model.loadTransformer(.float32, blocks: nil).layout.splitBlocks
    for (method, rows) in [(CacheSettings.Method.clusca, 16), (.taylorseer, 0)] {
      let costs = try costs(method)
      for (block, cost) in costs.dropLast().enumerated() {
        // A gate and the rows of each split block so far, and a table of clusters.
        let handed = rows > 0 ? min(block + 1, split) * (1 + rows) + rows : 0
        #expect(cost.cachedStateBytes == handed * width * 4, "\(method) behind block \(block)")
        #expect(cost.forecastBytes == 24 * width * 4)
        #expect(cost.transitBytes == cost.stateBytes + 4 * cost.forecastBytes)
      }
      #expect(costs.last?.transitBytes == 0)
      #expect(costs.last?.forecastBytes == 0 && costs.last?.cachedStateBytes == costs.last?.stateBytes)
    }
  }
}
