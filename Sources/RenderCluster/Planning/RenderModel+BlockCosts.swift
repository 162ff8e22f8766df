import FeatureCaching
import Rendering
import Tensors
import Transformers

extension RenderModel {
  /// What each block costs at a size of picture, as the planner takes it.
  ///
  /// A block's weights are those that a stage holds more for having it; what every stage holds beside is part of
  /// ``stageBytes(_:)``. Operations outside of the branches are shared out evenly, but for
  /// those that embed and project the picture's tokens: they are the first and the last block's. Behind the last block the
  /// model's output is handed over.
  ///
  /// - Throws: what loading the transformer would throw for tensors that are missing or of another shape.
  public func blockCosts(
    grid: TokenGrid, textTokens: Int, policy: any FeatureCachePolicy, precision: Precision
  ) throws -> [BlockCost] {
    let shapes = try transformerShapes(precision, blocks: nil)
    let (count, inputs) = (shapes.blockCount, shapeInputs(grid, textTokens: textTokens))
    let weights = try ownWeights(precision, blocks: count).ofBlocks
    let step = cost(grid, textTokens: textTokens)
    let operations = operations(step, shapes, grid: grid) { $0.operations }
    var costs = (0..<count).map { block in
      let state = block + 1 < count ? shapes.stateShapes(before: block + 1, of: inputs) : [:]
      let elements = state.values.reduce(0) { $0 + $1.reduce(1, *) }
      return BlockCost(
        operations: operations[block], weightBytes: weights[block],
        cacheBytes: MemoryEstimate.conditioningBytes(shapes.modulationOutputs(ofBlock: block), steps: .max),
        stateBytes: (block + 1 < count ? elements : grid.tokens * shapes.outputChannels) * MemoryLayout<Float>.stride)
    }
    for branch in step.branches {
      costs[branch.branch.block].cacheBytes += policy.byteCount(branch)
      costs[branch.branch.block].activations.merge(
        ActivationBytes([branch], tokens: grid.tokens + textTokens, precision))
    }
    for block in 0..<count - 1 { costs[block].transitBytes = costs[block].stateBytes }
    if let chain = policy.cutChain, chain.mostCutSteps > 0 {
      let width = step.branches.first?.width ?? 0
      for block in 0..<count - 1 {
        costs[block].cachedStateBytes = HandedChange.byteCount(
          branches: min(block + 1, shapes.layout.splitBlocks), chain, width: width)
        costs[block].forecastBytes = grid.tokens * width * MemoryLayout<Float>.stride
        costs[block].transitBytes += chain.mostCutSteps * costs[block].forecastBytes
      }
    }
    // The last stage keeps what forecasts add up to.
    costs[count - 1].cacheBytes += step.forecastBytes(policy)
    return costs
  }

  /// Forecasts read all that is kept: a byte takes as long as so many operations, as measured with the default model on one
  /// core of a Zen 4.
  private static var operationsPerByte: Int { 10 }

  /// The costs of blocks for runs of so many steps: as ``blockCosts(grid:textTokens:policy:precision:)``, with the means of
  /// full and cached steps.
  ///
  /// - Throws: as that.
  public func blockCosts(
    grid: TokenGrid, textTokens: Int, policy: any FeatureCachePolicy, steps: Int, precision: Precision
  ) throws -> [BlockCost] {
    var costs = try blockCosts(grid: grid, textTokens: textTokens, policy: policy, precision: precision)
    let cachedSteps = policy.plannedSteps(steps).count { !$0.kind.isFull }
    guard cachedSteps > 0, policy.makeOutputForecast() == nil else { return costs }
    let cached = try cachedOperations(
      grid: grid, textTokens: textTokens, policy: policy, steps: steps, precision: precision)
    var featureBytes = [Int](repeating: 0, count: costs.count)
    for branch in cost(grid, textTokens: textTokens).branches {
      featureBytes[branch.branch.block] += policy.byteCount(branch)
    }
    for block in costs.indices {
      let ofCachedStep = cached[block] + featureBytes[block] * Self.operationsPerByte
      costs[block].meanOperations =
        ((steps - cachedSteps) * costs[block].operations + cachedSteps * ofCachedStep) / steps
      costs[block].cachedShare = Double(cachedSteps) / Double(steps)
    }
    return costs
  }

  /// The operations of each block at a cached step of one sample, as ``blockCosts(grid:textTokens:policy:precision:)`` has
  /// those of a full step: the mean over the cached steps of a run. Forecasts are not counted: they cost memory traffic,
  /// not operations.
  public func cachedOperations(
    grid: TokenGrid, textTokens: Int, policy: any FeatureCachePolicy, steps: Int, precision: Precision
  ) throws -> [Int] {
    let shapes = try transformerShapes(precision, blocks: nil)
    let cached = policy.plannedSteps(steps).filter { !$0.kind.isFull }
    let cost = cost(grid, textTokens: textTokens)
    if policy.makeOutputForecast() != nil { return Array(repeating: 0, count: shapes.blockCount) }
    return operations(cost, shapes, grid: grid) { branch in
      cached.reduce(0) { $0 + policy.computedOperations(branch, at: $1) / cached.count }
    }
  }

  private func operations(
    _ step: StepCost, _ shapes: any DiffusionTransformer, grid: TokenGrid, of branch: (BranchShape) -> Int
  ) -> [Int] {
    let count = shapes.blockCount
    let perChannel = 2 * grid.tokens * (step.branches.first?.width ?? 0)
    let (embedding, projection) = (perChannel * shapes.latentChannels, perChannel * shapes.outputChannels)
    let rest = max(0, step.outsideOfBranches - embedding - projection)
    var operations = [Int](repeating: rest / count, count: count)
    operations[0] += embedding + rest % count
    operations[count - 1] += projection
    for shape in step.branches { operations[shape.branch.block] += branch(shape) }
    return operations
  }

  /// The bytes that every stage takes beside what its blocks do: the program, and the weights that all stages hold, such as
  /// the embedder of time.
  ///
  /// - Throws: as ``blockCosts(grid:textTokens:policy:precision:)``.
  public func stageBytes(_ precision: Precision) throws -> Int {
    let count = try transformerShapes(precision, blocks: nil).blockCount
    return try MemoryEstimate.programBytes + ownWeights(precision, blocks: count).ofEveryStage
  }

  /// Found by loading neighbours together and alone, without their numbers: what a pair holds less than both alone is what
  /// every stage holds.
  private func ownWeights(_ precision: Precision, blocks count: Int) throws -> (ofBlocks: [Int], ofEveryStage: Int) {
    func bytes(_ blocks: BlockRange) throws -> Int { try transformerShapes(precision, blocks: blocks).weightBytes }
    guard count > 1 else { return ([try bytes(0..<count)], 0) }
    let alone = try (0..<count).map { try bytes($0..<$0 + 1) }
    let shared = try (1..<count).map { try alone[$0 - 1] + alone[$0] - bytes($0 - 1..<$0 + 1) }
    let ofEveryStage = shared.min() ?? 0
    return (alone.map { $0 - ofEveryStage }, ofEveryStage)
  }

  /// Inputs of the right number of tokens and no contents.
  private func shapeInputs(_ grid: TokenGrid, textTokens: Int) -> SampleInputs {
    SampleInputs(
      grid: grid,
      condition: classLabels == nil
        ? .text(Tensor(zeros: [textTokens, 1]), pooled: Tensor(zeros: [1])) : .label(nil))
  }
}
