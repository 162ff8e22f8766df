import FeatureCaching
import Tensors
import Transformers

/// A step's way through the blocks of a stage: from boundary to boundary of its cache, which may change the hidden states
/// there and leave out the blocks in between.
struct BlockWalk {
  let model: any DiffusionTransformer
  let sample: any TransformerSample
  let conditioning: Conditioning
  let cache: any FeatureCache
  let probe: Probe?
  /// The boundary in front of the first block of the way, which is not crossed yet.
  var start: Int

  init(
    model: any DiffusionTransformer, sample: any TransformerSample, conditioning: Conditioning, cache: any FeatureCache,
    probe: Probe?
  ) {
    self.model = model
    self.sample = sample
    self.conditioning = conditioning
    self.cache = cache
    self.probe = probe
    start = model.blocks.lowerBound
  }

  /// Several samples' ways on one stage: side by side where no cache has anything to do on the way, else one after the other.
  static func run(
    _ walks: [BlockWalk], _ states: inout [BlockState], beforeBlock: (_ block: Int) throws -> Void
  ) throws {
    guard let model = walks.first?.model, walks.allSatisfy(\.isStraight) else {
      for (place, walk) in walks.enumerated() { try walk.run(&states[place], beforeBlock: beforeBlock) }
      return
    }
    var passes = zip(walks, states).map { walk, state in
      SamplePass(
        sample: walk.sample, state: state, conditioning: walk.conditioning, cache: walk.cache, probe: walk.probe)
    }
    states = []  // so that those of the passes can be changed in place
    try model.run(&passes, blocks: model.blocks, beforeBlock: beforeBlock)
    states = passes.map(\.state)
  }

  private var isStraight: Bool {
    start == model.blocks.lowerBound && cache.boundaries.isEmpty && cache.verifiedBlock == nil
  }

  /// The rest of the stage's blocks.
  func run(_ state: inout BlockState, beforeBlock: (_ block: Int) throws -> Void) throws {
    var place = start
    while true {
      // The boundary behind a stage is crossed by the next one.
      if place < model.blocks.upperBound || place == model.blockCount, cache.boundaries.contains(place) {
        cache.cross(place, &state.streams)
      }
      guard place < model.blocks.upperBound else { return }
      let end = nextStop(behind: place)
      try run(&state, blocks: place..<end, beforeBlock: beforeBlock)
      place = end
    }
  }

  /// The first stage: the way to the boundary at which the signal is measured, which is not crossed yet, since what
  /// happens there hangs on it.
  func measure(
    _ state: inout BlockState, at boundary: Int, beforeBlock: (_ block: Int) throws -> Void
  ) throws -> Float? {
    for place in model.blocks.lowerBound..<max(boundary, model.blocks.lowerBound) {
      if cache.boundaries.contains(place) { cache.cross(place, &state.streams) }
      try run(&state, blocks: place..<place + 1, beforeBlock: beforeBlock)
    }
    return cache.measure(state.streams) { sample.modulatedInput(state, conditioning: conditioning) }
  }

  /// The next boundary of the cache, the block to verify, or the end of the stage.
  private func nextStop(behind place: Int) -> Int {
    var stops = cache.boundaries + [model.blocks.upperBound]
    if let verified = cache.verifiedBlock { stops += [verified, verified + 1] }
    return stops.filter { $0 > place && $0 <= model.blocks.upperBound }.min() ?? model.blocks.upperBound
  }

  private func run(_ state: inout BlockState, blocks: BlockRange, beforeBlock: (_ block: Int) throws -> Void) throws {
    guard !cache.skips(blocks.lowerBound) else { return sample.pass(&state, over: blocks) }
    guard cache.verifiedBlock == blocks.lowerBound else {
      return try sample.run(
        &state, blocks: blocks, conditioning: conditioning, cache: cache, probe: probe, beforeBlock: beforeBlock)
    }
    var exact = state
    try sample.run(
      &state, blocks: blocks, conditioning: conditioning, cache: cache, probe: probe, beforeBlock: beforeBlock)
    try sample.run(
      &exact, blocks: blocks, conditioning: conditioning, cache: cache.makeVerifier(), probe: nil,
      beforeBlock: beforeBlock)
    cache.verify(forecast: state.streams, exact: exact.streams)
  }
}
