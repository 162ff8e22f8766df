import FeatureCaching
import Glibc
import Tensors
import Transformers

/// Runs a range of a model's blocks for many samples, and owns their feature caches.
public actor Stage {
  private let model: any DiffusionTransformer
  private let thread: StageThread
  private var reading: BlockReading
  private var samples: [SampleID: Running] = [:]

  private struct Running {
    let sample: any TransformerSample
    let cache: any FeatureCache
    let inputs: SampleInputs
    /// Those of the run's steps.
    let timesteps: [Float]
    /// What measuring a step has computed of it already.
    var begun: Begun?
    /// The step that was done last, and what it gave.
    var last: (step: Int, result: Finished)?
    /// A step was given up half-way, so that the cache is of no use any more.
    var isBroken = false
  }

  /// A step up to the boundary at which its signal was measured.
  private struct Begun {
    let step: Int
    let boundary: Int
    let state: BlockState
  }

  /// - Parameter residentBlocks: so many of the model's blocks, from the first on, stay in memory, and the others are read
  ///   from their files at each step; all stay if nil.
  /// - Throws: ``StageError/noThread(code:)``.
  public init(_ model: any DiffusionTransformer, residentBlocks: Int? = nil) throws(StageError) {
    self.model = model
    reading = BlockReading(blocks: model.blocks, residentBlocks: residentBlocks)
    thread = try StageThread()
  }

  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  public nonisolated var blocks: BlockRange { model.blocks }
  public nonisolated var isFirst: Bool { model.blocks.lowerBound == 0 }
  public nonisolated var isLast: Bool { model.blocks.upperBound == model.blockCount }

  /// Prepares a sample and makes an empty cache for it.
  ///
  /// - Throws: `SampleError` if the inputs do not fit the model.
  public func open(_ setup: SampleSetup) throws {
    samples[setup.id] = Running(
      sample: try model.makeSample(setup.inputs, timesteps: setup.timesteps),
      cache: setup.policy.makeCache(
        CacheSetup(
          choices: setup.choices, steps: setup.timesteps.count, layout: model.layout,
          columns: setup.inputs.grid.columns, isObserved: setup.isObserved)), inputs: setup.inputs,
      timesteps: setup.timesteps)
  }

  /// Frees what is held of a sample; nothing happens if there is none of this name.
  public func close(_ id: SampleID) { samples[id] = nil }

  /// What another stage of the same blocks needs to go on with a sample if its next step is full.
  ///
  /// - Throws: ``StageError/unknownSample(_:)``, also for a sample whose last step was given up half-way.
  public func snapshot(of id: SampleID) throws(StageError) -> CacheSnapshot {
    guard let running = samples[id], !running.isBroken else { throw StageError.unknownSample(id) }
    return running.cache.snapshot
  }

  /// Goes on with a sample from a snapshot, before its first step here.
  ///
  /// - Throws: ``StageError/unknownSample(_:)``
  public func restore(_ snapshot: CacheSnapshot, of id: SampleID) throws(StageError) {
    guard let running = samples[id] else { throw StageError.unknownSample(id) }
    running.cache.restore(snapshot)
  }

  /// The bytes that the caches of all samples hold.
  public var cacheBytes: Int { samples.values.reduce(0) { $0 + $1.cache.byteCount } }

  public enum Input: Sendable {
    /// `[image tokens, channels]`, for the first stage.
    case latents(Tensor)
    /// What the stage before hands over, `[tokens, width]` a stream.
    case state(BlockState)
    /// What it hands over where forecasts were summed before the step, by ``sumForecasts(of:from:)``: what fresh tokens
    /// have changed so far, if any have. All else follows from the latents.
    case change(HandedChange?, latents: Tensor)
  }

  public enum Output: Sendable {
    case state(BlockState)
    case change(HandedChange?)
    /// The model's output, of the last stage.
    case output(Tensor)
  }

  /// What a step gives at this stage.
  public struct Finished: Sendable {
    /// For the next stage, or the model's output.
    public var output: Output
    /// The clusters that were found here.
    public var clusters: [TokenStream: TokenClusters]
    /// What the step found out about itself here; nil if nothing.
    public var signal: Float?
  }

  /// Runs the stage's blocks for one step of a sample. A step that has just been done gives again what it gave, and changes
  /// nothing: caches are changed in place, so that doing it twice would be another thing than doing it once.
  ///
  /// - Parameter betweenBlocks: is called before each block; it may run steps of other samples meanwhile.
  /// - Throws: ``StageError`` for a sample that was not opened, and for a step of the past; `CancellationError` between two
  ///   blocks if the task is cancelled. The sample must then be closed: its cache has seen half a step.
  public func run(
    _ context: StepContext, _ input: Input, probe: Probe? = nil,
    betweenBlocks: (isolated Stage) throws -> Void = { _ in }
  ) throws -> Finished {
    if let known = try known(context) { return known }
    markBroken(context)
    var (walk, state) = try prepare(context, input, probe, betweenBlocks)
    try walk.run(&state) { try check($0, isFull: context.kind.isFull, betweenBlocks) }
    return finish(context, walk, state)
  }

  /// Runs the stage's blocks for the same step of several samples. Cached steps go through them side by side, so that their
  /// weights are read once for all; the bits are those of ``run(_:_:probe:betweenBlocks:)``, one after the other.
  ///
  /// - Parameter betweenBlocks: as there.
  /// - Throws: as ``run(_:_:probe:betweenBlocks:)``; then all of the samples must be closed.
  public func run(
    _ steps: [(context: StepContext, input: Input)], betweenBlocks: (isolated Stage) throws -> Void = { _ in }
  ) throws -> [Finished] {
    let results = try steps.map { try known($0.context) }
    guard steps.count > 1, results.allSatisfy({ $0 == nil }), steps.allSatisfy({ !$0.context.kind.isFull }) else {
      return try steps.map { try run($0.context, $0.input, betweenBlocks: betweenBlocks) }
    }
    for step in steps { markBroken(step.context) }
    var (walks, states): ([BlockWalk], [BlockState]) = ([], [])
    for step in steps {
      let (walk, state) = try prepare(step.context, step.input, nil, betweenBlocks)
      walks.append(walk)
      states.append(state)
    }
    try BlockWalk.run(walks, &states) { try check($0, isFull: false, betweenBlocks) }
    return steps.indices.map { finish(steps[$0].context, walks[$0], states[$0]) }
  }

  /// What a step that has just been done gave; nil if it is to be done.
  private func known(_ context: StepContext) throws(StageError) -> Finished? {
    guard let running = samples[context.sample], !running.isBroken else {
      throw StageError.unknownSample(context.sample)
    }
    guard let last = running.last, context.index <= last.step else { return nil }
    guard context.index == last.step else { throw StageError.stepOfThePast(context.sample, step: context.index) }
    return last.result
  }

  /// Until the step is finished the sample's cache has seen a part of it.
  private func markBroken(_ context: StepContext) {
    samples[context.sample]?.last = nil
    samples[context.sample]?.isBroken = true
  }

  /// Brings a step to the front of the blocks, or as far as it was measured.
  private func prepare(
    _ context: StepContext, _ input: Input, _ probe: Probe?, _ betweenBlocks: (isolated Stage) throws -> Void
  ) throws -> (walk: BlockWalk, state: BlockState) {
    guard let running = samples[context.sample] else { throw StageError.unknownSample(context.sample) }
    let (sample, cache) = (running.sample, running.cache)
    let vec = sample.conditioning(timestep: context.timestep, probe: probe)
    var walk = BlockWalk(model: model, sample: sample, conditioning: vec, cache: cache, probe: probe)
    var measured: BlockState?
    if let begun = running.begun, begun.step == context.index {
      samples[context.sample]?.begun = nil
      (measured, walk.start) = (begun.state, begun.boundary)
    } else if isFirst, let boundary = cache.signalBoundary {
      var state = try embedded(input, sample, vec, cache, probe)
      // Its kind hangs on nothing, but those of later steps hang on it.
      _ = try walk.measure(&state, at: boundary) { try check($0, isFull: context.kind.isFull, betweenBlocks) }
      (measured, walk.start) = (state, boundary)
    }
    cache.begin(CacheStep(index: context.index, kind: context.kind, clusters: context.clusters))
    let state = try measured ?? embedded(input, sample, vec, cache, leavesTextOut: cache.leavesTextOut, probe)
    // Where there is one stage, what the clusters are is known now, and so which tokens will be fresh.
    if isFirst, isLast, !context.kind.isFull { _ = try sumForecasts(running, first: context.index, from: nil) }
    return (walk, state)
  }

  /// Sums what is known of the cached steps behind the one that has just been done, so that only what fresh tokens change has
  /// to pass from stage to stage at these. All stages of a pipeline do it, or none.
  ///
  /// - Parameter start: what the stage before has given here, one a step, `[image tokens, width]`; nil at the first.
  /// - Returns: one a step; empty if there are none, or the policy forecasts nothing.
  /// - Throws: ``StageError/unknownSample(_:)``
  public func sumForecasts(of id: SampleID, from start: [Tensor]?) throws -> [Tensor] {
    guard let running = samples[id], !running.isBroken, let last = running.last else {
      throw StageError.unknownSample(id)
    }
    return try sumForecasts(running, first: last.step + 1, from: start)
  }

  private func sumForecasts(_ running: Running, first: Int, from start: [Tensor]?) throws -> [Tensor] {
    let shapes = model.stateShapes(before: model.blocks.lowerBound, of: running.inputs)
    return try running.sample.sumForecasts(
      of: running.cache, from: start, BlockState(shapes.mapValues { Tensor(uninitialized: $0) }),
      first: first, imageTokens: running.inputs.grid.tokens, blocks: model.blocks, isLast: isLast
    ) { running.timesteps[$0] }
  }

  /// - Parameter state: behind the blocks.
  private func finish(_ context: StepContext, _ walk: BlockWalk, _ state: BlockState) -> Finished {
    advise(reading.afterStep())
    if let probe = walk.probe { walk.cache.show(probe.module("cache")) }
    let output: Output =
      if isLast {
        .output(walk.sample.project(state, conditioning: walk.conditioning, probe: walk.probe))
      } else if walk.cache.isSummedAhead {
        .change(state.imageSums.flatMap(walk.cache.handOver))
      } else {
        .state(state)
      }
    let result = Finished(output: output, clusters: walk.cache.newClusters, signal: walk.cache.signal)
    // Unless it was closed meanwhile.
    samples[context.sample]?.isBroken = false
    samples[context.sample]?.last = (context.index, result)
    return result
  }

  /// The first stage: measures a step before its kind is decided. ``run(_:_:probe:betweenBlocks:)`` of the same step, with
  /// the same input, goes on from there.
  ///
  /// - Parameter context: its kind and its clusters mean nothing yet.
  /// - Returns: the signal; nil if there is nothing to compare with.
  /// - Throws: as ``run(_:_:probe:betweenBlocks:)``.
  public func measure(
    _ context: StepContext, _ input: Input, betweenBlocks: (isolated Stage) throws -> Void = { _ in }
  ) throws -> Float? {
    guard let running = samples[context.sample] else { throw StageError.unknownSample(context.sample) }
    guard let boundary = running.cache.signalBoundary else { return nil }
    let vec = running.sample.conditioning(timestep: context.timestep, probe: nil)
    let walk = BlockWalk(
      model: model, sample: running.sample, conditioning: vec, cache: running.cache, probe: nil)
    var state = try embedded(input, running.sample, vec, running.cache, nil)
    let signal = try walk.measure(&state, at: boundary) { try check($0, isFull: false, betweenBlocks) }
    samples[context.sample]?.begun = Begun(step: context.index, boundary: boundary, state: state)
    return signal
  }

  /// The first block of the stage behind which a hidden state is infinite or no number when a step is computed in full, to
  /// say where it went wrong; nil if none is.
  ///
  /// - Throws: as ``run(_:_:probe:betweenBlocks:)``, but looks at no cache and changes none.
  public func firstBlockWithoutNumbers(_ context: StepContext, _ input: Input) throws -> Int? {
    guard let sample = samples[context.sample]?.sample else { throw StageError.unknownSample(context.sample) }
    let vec = sample.conditioning(timestep: context.timestep, probe: nil)
    let setup = CacheSetup(
      choices: KeyedChoices(seed: 0, row: 0), steps: 1, layout: model.layout, columns: 1)
    let cache = NoCaching().makeCache(setup)
    var state = try embedded(input, sample, vec, cache, nil)
    return try model.blocks.first { block in
      try sample.run(
        &state, blocks: block..<block + 1, conditioning: vec, cache: cache, probe: nil,
        beforeBlock: { _ in try Task.checkCancellation() })
      return !state.streams.values.allSatisfy(\.isFinite)
    }
  }

  private func embedded(
    _ input: Input, _ sample: any TransformerSample, _ vec: Conditioning, _ cache: any FeatureCache,
    leavesTextOut: Bool = false, _ probe: Probe?
  ) throws -> BlockState {
    switch input {
    case .latents(let latents):
      sample.embed(latents, conditioning: vec, leavesTextOut: leavesTextOut, probe: probe)
    case .state(let state): state
    case .change(let handed, let latents):
      try sample.embed(latents, conditioning: vec, leavesTextOut: true, probe: probe).adding(handed.map(cache.take))
    }
  }

  /// What is done before each block of a step.
  private func check(_ block: Int, isFull: Bool, _ betweenBlocks: (isolated Stage) throws -> Void) throws {
    try Task.checkCancellation()
    try betweenBlocks(self)
    advise(reading.before(block, isFull: isFull))
  }

  private func advise(_ advices: [BlockReading.Advice]) {
    for advice in advices {
      for matrix in model.matrices(ofBlock: advice.block) {
        for stored in matrix.mapped { stored.advise(advice.kind == .read ? .willNeed : .dropped) }
      }
    }
  }
}

/// Why a stage cannot run a step.
public enum StageError: Error, Sendable, Hashable, CustomStringConvertible {
  case unknownSample(SampleID)
  /// Another step of the sample has been done since.
  case stepOfThePast(SampleID, step: Int)
  /// No thread could be started; an `errno`.
  case noThread(code: Int32)

  public var description: String {
    switch self {
    case .unknownSample(let id): "The stage does not know job \(id.job), row \(id.row)."
    case .stepOfThePast(let id, let step):
      "Step \(step + 1) of job \(id.job), row \(id.row) is over; another one has been done since."
    case .noThread(let code): "A thread cannot be started: \(String(cString: strerror(code)))."
    }
  }
}
