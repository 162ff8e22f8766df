import FeatureCaching
import Messaging
import Rendering
import Tensors
import Transformers

/// A sample on a worker: what it is, and what of its next step has arrived.
struct WorkerSample: Sendable {
  let key: SampleKey
  /// On the stage: another one after each opening, since a closing may come later than the next opening.
  let id: SampleID
  /// Those of its tensors.
  private(set) var epoch: UInt64
  private(set) var attempt: UInt32
  let opening: SampleOpening
  let settings: SampleSettings
  /// What a prompt needs; a class is in the settings.
  private var prompt: Tensor?
  private var pooled: Tensor?
  private var input: [WireStream: Tensor] = [:]
  private let cutChain: CutChain?
  /// What the stages before have summed of forecasts, by the cached step that it is for.
  private var forecasts: [Int: Tensor] = [:]
  /// What the last stage has handed on last, in case that the coordinator ends before it has it.
  private(set) var lastOutput: (step: UInt32, tensor: Tensor)?
  /// The stage has it, or takes it before anything that it is asked to do from now on.
  var isOpen = false
  /// With what it begins; nil for one that begins anew.
  private var restoring: (manifest: SnapshotManifest, tensors: [Int: Tensor])?

  /// - Throws: ``WireError`` if its parts contradict each other.
  ///
  /// - Parameter number: that no other opening of this process has.
  init(
    _ key: SampleKey, number: Int, epoch: UInt64, _ attempt: UInt32, _ opening: SampleOpening,
    _ settings: SampleSettings
  ) throws {
    guard settings.timesteps.count == Int(opening.steps) else {
      throw WireError("The sample has \(opening.steps) steps, but times for \(settings.timesteps.count)")
    }
    self.key = key
    id = SampleID(job: number, row: UInt16(truncatingIfNeeded: key.row))
    self.epoch = epoch
    self.attempt = attempt
    self.opening = opening
    self.settings = settings
    cutChain = settings.cache.policy.cutChain
  }

  private var grid: TokenGrid {
    TokenGrid(frames: Int(opening.frames), rows: Int(opening.rows), columns: Int(opening.columns))
  }

  func setup(_ condition: Condition) -> SampleSetup {
    SampleSetup(
      id: id, inputs: SampleInputs(grid: grid, condition: condition, guidance: guidance),
      timesteps: settings.timesteps, policy: settings.cache.policy,
      choices: KeyedChoices(seed: opening.seed, row: UInt16(truncatingIfNeeded: key.row)))
  }

  /// Models that embed guidance take none below zero.
  private var guidance: Float? { opening.guidance < 0 ? nil : opening.guidance }

  // MARK: - Plans

  func fence(step: UInt32, _ stage: LoadedStage) -> Fence {
    Fence(epoch: epoch, job: key.job, row: key.row, attempt: attempt, stage: stage.number, step: step)
  }

  func expectation(
    _ plan: TensorPlan, step: UInt32, _ stage: LoadedStage, from sender: PublicKey?, takesFewerRows: Bool = false
  ) -> TensorInbox.Expectation {
    TensorInbox.Expectation(
      plan, fence: fence(step: step, stage), sender: sender, takesFewerRows: takesFewerRows)
  }

  /// The encoded prompt.
  func conditionPlans(_ stage: LoadedStage) throws -> [TensorPlan] {
    let shapes = stage.model.promptShapes(textTokens: Int(opening.textTokens))
    guard (shapes != nil) == (opening.textTokens > 0) else {
      throw WireError("The sample has \(opening.textTokens) text tokens, which does not suit the model")
    }
    guard let shapes else { return [] }
    return [try plan(.prompt, shapes.text), try plan(.pooled, shapes.pooled)]
  }

  /// What a step begins with: latents, or what the stage before hands over, or both.
  private func inputPlans(_ step: UInt32, _ stage: LoadedStage) throws -> [TensorPlan] {
    let isCut = isCut(step, stage)
    let latents =
      isCut || stage.number == 0 ? [try plan(.latents, [grid.tokens, stage.model.latentChannels])] : []
    guard stage.number > 0 else { return latents }
    let shapes = stage.model.stateShapes(before: stage.model.blocks.lowerBound, of: shapeInputs)
    guard isCut, let cutChain else {
      return try TokenStream.allCases.compactMap { stream in try shapes[stream].map { try plan(stream.wire, $0) } }
    }
    let branches = min(stage.model.blocks.lowerBound, stage.model.layout.splitBlocks)
    guard cutChain.freshTokens > 0, branches > 0, let width = shapes.values.first?.last else { return latents }
    let table = cutChain.movesClusters ? [try plan(.table, [cutChain.freshTokens, width])] : []
    return latents + table
      + [try plan(.gates, [branches, width]), try plan(.rows, [branches * cutChain.freshTokens, width])]
  }

  /// Of what a step begins with, and what a full one needs for the cached ones behind it.
  func inputExpectations(
    _ step: UInt32, _ stage: LoadedStage, coordinator: PublicKey?
  ) throws -> [TensorInbox.Expectation] {
    let previous = stage.number == 0 ? coordinator : stage.assignment.previousKey
    let inputs = try inputPlans(step, stage).map { plan in
      expectation(
        plan, step: step, stage, from: plan.stream == .latents ? coordinator : previous,
        takesFewerRows: plan.stream == .rows)
    }
    guard stage.number > 0, let width = stateWidth(stage) else { return inputs }
    return try inputs
      + cutSteps(behind: step, stage).map { cut in
        expectation(try plan(.forecasts, [grid.tokens, width]), step: UInt32(cut), stage, from: previous)
      }
  }

  private func stateWidth(_ stage: LoadedStage) -> Int? {
    stage.model.stateShapes(before: stage.model.blocks.lowerBound, of: shapeInputs).values.first?.last
  }

  /// Whether no hidden states pass between the stages at a step.
  func isCut(_ step: UInt32, _ stage: LoadedStage) -> Bool {
    stage.assignment.stages > 1 && cutChain?.isCut(Int(step)) ?? false
  }

  /// The steps at which none do whose forecasts are summed behind a step.
  func cutSteps(behind step: UInt32, _ stage: LoadedStage) -> Range<Int> {
    guard stage.assignment.stages > 1, let cutChain else { return 0..<0 }
    return cutChain.cutSteps(behind: Int(step), of: Int(opening.steps))
  }

  private var shapeInputs: SampleInputs {
    let condition: Condition =
      opening.textTokens > 0
      ? .text(Tensor(zeros: [Int(opening.textTokens), 1]), pooled: Tensor(zeros: [1])) : .label(nil)
    return SampleInputs(grid: grid, condition: condition)
  }

  private func plan(_ stream: WireStream, _ shape: [Int]) throws -> TensorPlan {
    guard let plan = TensorPlan(stream, .float32, shape: shape) else {
      throw WireError("A tensor of shape \(shape) does not travel")
    }
    return plan
  }

  // MARK: - What arrives

  mutating func keepCondition(_ stream: WireStream, _ tensor: Tensor) {
    if stream == .prompt { prompt = tensor } else { pooled = tensor }
  }

  var condition: Condition? {
    guard let prompt, let pooled else { return nil }
    return .text(prompt, pooled: pooled, validTokens: settings.validTokens)
  }

  mutating func keepInput(_ stream: WireStream, _ tensor: Tensor) { input[stream] = tensor }

  func hasInput(_ step: UInt32, _ stage: LoadedStage) -> Bool {
    guard let plans = try? inputPlans(step, stage) else { return false }
    return plans.allSatisfy { input[$0.stream] != nil }
  }

  mutating func keepForecasts(_ step: UInt32, _ tensor: Tensor) { forecasts[Int(step)] = tensor }

  /// What the stages before have summed for the steps behind a full one; nil as long as not all of it is here.
  func forecasts(behind step: UInt32, _ stage: LoadedStage) -> [Tensor]? {
    let known = cutSteps(behind: step, stage).map { forecasts[$0] }
    return known.contains { $0 == nil } ? nil : known.compactMap { $0 }
  }

  mutating func forgetForecasts() { forecasts = [:] }

  /// Takes the input out, for the stage to compute.
  mutating func task(
    _ step: UInt32, _ order: StepOrder, _ labels: Payload, _ stage: LoadedStage
  ) throws -> StageTask {
    let kind: StepKind =
      switch order.kind {
      case .cached(let distance): .cached(distance: Int(distance))
      case .full, .measure: .full
      }
    let context = StepContext(
      sample: id, index: Int(order.index), kind: kind, timestep: order.timestep,
      clusters: try WireClusters.unpack(order.labels, labels))
    defer { input = [:] }
    if let latents = input[.latents], stage.number > 0 {
      let handed = input[.gates].flatMap { gates in
        input[.rows].map { HandedChange(table: input[.table], gates: gates, rows: $0) }
      }
      return StageTask(
        key: key, attempt: attempt, step: step, isMeasurement: false, context: context,
        input: .change(handed, latents: latents))
    }
    if let latents = input[.latents] {
      return StageTask(
        key: key, attempt: attempt, step: step, isMeasurement: order.kind == .measure, context: context,
        input: .latents(latents))
    }
    var streams: [TokenStream: Tensor] = [:]
    for (stream, tensor) in input { if let stream = stream.tokens { streams[stream] = tensor } }
    return StageTask(
      key: key, attempt: attempt, step: step, isMeasurement: false, context: context, input: .state(BlockState(streams))
    )
  }

  // MARK: - Another coordinator

  /// Goes on for a coordinator that was started again.
  mutating func resume(epoch: UInt64, _ attempt: UInt32) {
    (self.epoch, self.attempt) = (epoch, attempt)
    input = [:]
    forecasts = [:]
  }

  mutating func keepOutput(_ step: UInt32, _ tensor: Tensor) { lastOutput = (step, tensor) }

  // MARK: - Snapshots

  /// The tensors with which it begins. Their fences have the numbers of blocks for stages.
  mutating func expectations(
    _ manifest: SnapshotManifest, step: UInt32, _ stage: LoadedStage, from sender: PublicKey?
  ) -> [TensorInbox.Expectation] {
    restoring = (manifest, [:])
    return manifest.blocks.compactMap { block in
      block.plan.map { .init($0, fence: fence(step: step, ofBlock: block.number, stage), sender: sender) }
    }
  }

  func fence(step: UInt32, ofBlock block: Int, _ stage: LoadedStage) -> Fence {
    var fence = fence(step: step, stage)
    fence.stage = UInt32(block)
    return fence
  }

  mutating func keepState(_ block: Int, _ tensor: Tensor) { restoring?.tensors[block] = tensor }

  /// What the stage is to go on from, when all of it is here.
  var snapshot: CacheSnapshot? {
    guard let restoring, restoring.manifest.blocks.allSatisfy({ restoring.tensors[$0.number] != nil }) else {
      return nil
    }
    return CacheSnapshot(restoring.manifest, restoring.tensors)
  }

  mutating func forgetSnapshot() { restoring = nil }
}
