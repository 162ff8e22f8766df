import FeatureCaching
import Tensors

/// A range of blocks that one stage holds, counted over the whole model.
public typealias BlockRange = Range<Int>

/// What a sample's tokens are made of, and what it shall show.
public struct SampleInputs: Sendable {
  /// The tokens of the picture or video.
  public var grid: TokenGrid
  public var condition: Condition
  /// The scale of distilled guidance as the user gives it, such as 3.5; for models that embed it.
  public var guidance: Float?

  public init(grid: TokenGrid, condition: Condition, guidance: Float? = nil) {
    self.grid = grid
    self.condition = condition
    self.guidance = guidance
  }
}

/// What a sample shall show, as a transformer takes it.
public enum Condition: Sendable {
  /// A prompt's hidden states, `[tokens, width]`, and all of it in one vector, `[width]`. Of the tokens so many, from the
  /// first on, are the prompt and the rest is padding that models with a mask do not attend to; all if nil.
  case text(Tensor, pooled: Tensor, validTokens: Int? = nil)
  /// A class of the model's training, from 0; nil for none in particular.
  case label(Int?)

  /// The tokens of the prompt; 0 for a class.
  public var textTokens: Int {
    switch self {
    case .text(let text, _, _): text.rows
    case .label: 0
    }
  }
}

/// How tokens lie in a picture or video: frame after frame, row after row.
public struct TokenGrid: Sendable, Hashable {
  public var frames: Int
  public var rows: Int
  public var columns: Int

  public init(frames: Int = 1, rows: Int, columns: Int) {
    self.frames = frames
    self.rows = rows
    self.columns = columns
  }

  public var tokens: Int { frames * rows * columns }

  /// Frame, row and column of each token.
  public var positions: [[Float]] {
    (0..<tokens).map { token in
      let inFrame = token % (rows * columns)
      return [Float(token / (rows * columns)), Float(inFrame / columns), Float(inFrame % columns)]
    }
  }
}

/// The hidden states that cross the boundary of two stages, and nothing else.
public struct BlockState: Sendable, Equatable {
  /// `[tokens, width]` each.
  public var streams: [TokenStream: Tensor]
  /// What is still to be added to them, at steps that sum it apart.
  public var sums: [TokenStream: StreamSums]

  public init(_ streams: [TokenStream: Tensor], sums: [TokenStream: StreamSums] = [:]) {
    self.streams = streams
    self.sums = sums
  }

  /// - Parameter isDone: whether no block follows.
  init(_ streams: [TokenStream: ResidualStream], isDone: Bool) {
    if isDone {
      self.init(streams.mapValues(\.all))
    } else {
      let apart = streams.mapValues(\.apart)
      self.init(apart.mapValues(\.states), sums: apart.mapValues(\.sums).filter { !$0.value.isEmpty })
    }
  }

  /// What is still to be added to the picture's hidden states where text is left out; nil if nothing.
  public var imageSums: StreamSums? { sums.values.first { !$0.isEmpty } }

  /// The same state with what fresh tokens of the picture have changed.
  public func adding(_ change: FreshChange?) -> BlockState {
    var state = self
    if let change { state.sums[.image] = StreamSums(change) }
    return state
  }

  /// Takes a stream out, so that it can be changed in place.
  mutating func take(_ stream: TokenStream) -> Tensor {
    guard let tensor = streams.removeValue(forKey: stream) else {
      preconditionFailure("the state has no \(stream) stream")
    }
    return tensor
  }

  /// Takes a stream out for a step through the blocks.
  mutating func take(_ stream: TokenStream, _ cache: any FeatureCache, summedRows: Range<Int>? = nil) -> ResidualStream
  {
    ResidualStream(
      take(stream), summing: cache.summing(stream), sums: sums.removeValue(forKey: stream) ?? StreamSums(),
      summedRows: summedRows)
  }
}

/// A diffusion transformer, or some of its blocks: the part that one stage holds.
public protocol DiffusionTransformer: Sendable {
  /// The blocks of the whole model, and their kinds.
  var layout: BlockLayout { get }
  /// The blocks that are loaded.
  var blocks: BlockRange { get }
  /// The bytes of the weights that are loaded.
  var weightBytes: Int { get }
  /// The matrices of a block that is loaded, in the order in which a full step multiplies with them. Those of its modulation
  /// are not among them: they are used once in many steps.
  func matrices(ofBlock block: Int) -> [WeightMatrix]
  /// The numbers that modulate a block at a step: shifts, scales and gates. A sample keeps those of up to
  /// ``Conditioning/stepsAtOnce`` steps.
  func modulationOutputs(ofBlock block: Int) -> Int
  /// The shapes of an encoded prompt of so many tokens and of its pooled vector; nil for a model of classes.
  func promptShapes(textTokens: Int) -> (text: [Int], pooled: [Int])?
  /// The numbers of a token's latents as ``TransformerSample/embed(_:conditioning:leavesTextOut:probe:)`` takes them.
  var latentChannels: Int { get }
  /// The numbers of a token that ``TransformerSample/project(_:conditioning:probe:)`` gives.
  var outputChannels: Int { get }
  /// The shapes of the hidden states in front of a block, `[tokens, width]` a stream, so that who receives them knows
  /// beforehand. In front of block 0 they are what the first stage makes of latents; ``blockCount`` stands for those
  /// behind the last block. Any range of blocks answers for all of the model.
  ///
  /// - Parameter inputs: those that ``makeSample(_:timesteps:)`` takes; of a prompt only the number of tokens counts.
  func stateShapes(before block: Int, of inputs: SampleInputs) -> [TokenStream: [Int]]
  /// Prepares a sample: what stays the same over all its steps, such as the rotary positions.
  ///
  /// - Parameter timesteps: those that the run will have, 0...1000, in their order; steps of other ones cost more.
  /// - Throws: ``SampleError`` if the inputs do not fit the model.
  func makeSample(_ inputs: SampleInputs, timesteps: [Float]) throws -> any TransformerSample
  /// Some of this stage's blocks for a step of each of several samples of this model, as
  /// ``TransformerSample/run(_:blocks:conditioning:cache:probe:beforeBlock:)`` does it for one, with the same bits. Models may
  /// take them through products together, so that weights are read once for all.
  func run(_ passes: inout [SamplePass], blocks: BlockRange, beforeBlock: (_ block: Int) throws -> Void) rethrows
}

extension DiffusionTransformer {
  /// The blocks of the whole model.
  public var blockCount: Int { layout.blocks }

  public func makeSample(_ inputs: SampleInputs) throws -> any TransformerSample {
    try makeSample(inputs, timesteps: [])
  }

  public func run(_ passes: inout [SamplePass], blocks: BlockRange, beforeBlock: (_ block: Int) throws -> Void) rethrows
  {
    for place in passes.indices {
      let (sample, conditioning, cache) = (passes[place].sample, passes[place].conditioning, passes[place].cache)
      try sample.run(
        &passes[place].state, blocks: blocks, conditioning: conditioning, cache: cache, probe: passes[place].probe,
        beforeBlock: beforeBlock)
    }
  }
}

/// One sample, a row of a batch, on one stage.
public protocol TransformerSample: Sendable {
  /// What modulates the blocks at a timestep (0...1000). Every stage computes it for itself.
  func conditioning(timestep: Float, probe: Probe?) -> Conditioning

  /// Latents `[image tokens, channels]` → hidden states, `[tokens, width]` a stream. Only the first stage knows the text.
  ///
  /// - Parameters:
  ///   - conditioning: of the same step; some models refine the prompt by the time.
  ///   - leavesTextOut: whether no block looks at the text, as ``FeatureCache/leavesTextOut`` has it: it may be zeros then.
  func embed(_ latents: Tensor, conditioning: Conditioning, leavesTextOut: Bool, probe: Probe?) -> BlockState

  /// Some of this stage's blocks, one after the other. They change the hidden states in place and ask `cache`, which was
  /// told of the step, for the output of every branch.
  ///
  /// - Parameter beforeBlock: called before each block with its number; an error ends the step, as when the user interrupts it.
  func run(
    _ state: inout BlockState, blocks: BlockRange, conditioning: Conditioning, cache: any FeatureCache, probe: Probe?,
    beforeBlock: (_ block: Int) throws -> Void
  ) rethrows

  /// Brings hidden states past blocks that are left out: only their streams become those behind the blocks.
  func pass(_ state: inout BlockState, over blocks: BlockRange)

  /// The first stage: what the first block's attention takes of the picture, its tokens normed and modulated,
  /// `[image tokens, width]`; of all tokens where the first block has a single stream.
  ///
  /// - Parameter state: in front of the first block.
  func modulatedInput(_ state: BlockState, conditioning: Conditioning) -> Tensor

  /// The last stage: hidden states → `[image tokens, channels]`, the model's output.
  func project(_ state: BlockState, conditioning: Conditioning, probe: Probe?) -> Tensor
}

extension TransformerSample {
  /// Has a cache sum what it knows already of coming cached steps. The numbers of these steps are the same without, but each
  /// costs more.
  ///
  /// - Parameters:
  ///   - start: what stages before have added up to for each step, `[image tokens, width]`; nil if there are none.
  ///   - state: of the shapes in front of the blocks; what it holds means nothing.
  ///   - first: the step that goes through the blocks next.
  ///   - imageTokens: those of the picture.
  ///   - isLast: whether these are the last blocks.
  ///   - timestep: of a step of the run.
  /// - Returns: what it adds up to behind the blocks; empty if there are no such steps.
  /// - Throws: `CancellationError`; the cache is as it was then.
  public func sumForecasts(
    of cache: any FeatureCache, from start: [Tensor]?, _ state: BlockState, first: Int, imageTokens: Int,
    blocks: BlockRange, isLast: Bool, timestep: (_ step: Int) -> Float
  ) throws -> [Tensor] {
    let steps = cache.stepsToPlan(from: first)
    guard let width = state.streams.values.first?.columns, start.map({ $0.count == steps.count }) ?? true else {
      return []
    }
    try Task.checkCancellation()
    let planners = ThreadPool.shared.map(steps.count) { place in
      let planner = cache.planner(for: steps[place], refreshes: place + 1)
      var planned = state
      run(
        &planned, blocks: blocks, conditioning: conditioning(timestep: timestep(steps[place].index), probe: nil),
        cache: planner, probe: nil, beforeBlock: { _ in })
      return planner
    }
    return planners.isEmpty
      ? [] : cache.sumForecasts(of: steps, planners, from: start, shape: [imageTokens, width], isLast: isLast)
  }
}

/// A sample's step on its way through the blocks of a stage.
public struct SamplePass {
  public let sample: any TransformerSample
  /// The hidden states, which blocks change in place.
  public var state: BlockState
  public let conditioning: Conditioning
  /// It was told of the step.
  public let cache: any FeatureCache
  public let probe: Probe?

  public init(
    sample: any TransformerSample, state: BlockState, conditioning: Conditioning, cache: any FeatureCache,
    probe: Probe? = nil
  ) {
    self.sample = sample
    self.state = state
    self.conditioning = conditioning
    self.cache = cache
    self.probe = probe
  }
}

/// Why inputs do not fit a model, as one sentence.
public struct SampleError: Error, Sendable, CustomStringConvertible {
  public let description: String

  public init(description: String) { self.description = description }
}
