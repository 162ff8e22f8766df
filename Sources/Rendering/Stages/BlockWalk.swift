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

  /// The rest of the stage's blocks.
  ///
  /// - Parameter start: the boundary in front of them, which is not crossed yet.
  func run(_ state: inout BlockState, from start: Int, beforeBlock: (_ block: Int) throws -> Void) throws {
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
