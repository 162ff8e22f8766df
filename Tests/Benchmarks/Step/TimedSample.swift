import FeatureCaching
import Measuring
import Tensors
import Transformers

/// A sample of a model whose steps are timed part by part.
final class TimedSample {
  let precision: Precision
  private let sample: any TransformerSample
  private let cache: any FeatureCache
  private let blocks: BlockRange
  private let blockNames: [String]
  private var clusters: [TokenStream: TokenClusters] = [:]
  private let latents: Tensor
  /// By kind of step ("full", "cached"), then by part, in the order of evaluation.
  private(set) var times: [String: [(part: String, wall: Sample)]] = [:]
  private(set) var totals: [String: (wall: Sample, processor: Sample)] = [:]

  init(
    _ configuration: FluxConfiguration, _ source: RandomFlux, precision: Precision, policy: ClusCa, grid: TokenGrid,
    textTokens: Int
  ) throws {
    self.precision = precision
    let model = try FluxTransformer(configuration, Parameters(source, precision: precision))
    sample = try model.makeSample(
      SampleInputs(
        grid: grid,
        condition: .text(
          RandomValues.tensor([textTokens, configuration.textWidth], seed: 7),
          pooled: RandomValues.tensor([configuration.pooledWidth], seed: 8)), guidance: 3.5))
    cache = policy.makeCache(
      CacheSetup(choices: KeyedChoices(seed: 0, row: 0), steps: 50, layout: model.layout, columns: grid.columns))
    blocks = model.blocks
    blockNames =
      (0..<configuration.doubleBlocks).map { "double block \($0)" }
      + (0..<configuration.singleBlocks).map { "single block \($0)" }
    latents = RandomValues.tensor([grid.tokens, configuration.inputChannels], seed: 9)
  }

  /// Runs one step; `isTimed` is false for those that only warm up.
  func step(_ index: Int, _ kind: StepKind, isTimed: Bool) {
    let watch = Stopwatch()
    var marks: [(part: String, begin: Double)] = []
    func mark(_ part: String) { marks.append((part, watch.seconds)) }
    cache.begin(CacheStep(index: index, kind: kind, clusters: kind.isFull ? [:] : clusters))
    mark("conditioning")
    let vec = sample.conditioning(timestep: 1000 - Float(index), probe: nil)
    mark("embedders")
    var state = sample.embed(latents, conditioning: vec, probe: nil)
    var block = 0
    sample.run(&state, blocks: blocks, conditioning: vec, cache: cache, probe: nil) {
      mark(blockNames[block])
      block += 1
    }
    mark("output")
    _ = sample.project(state, conditioning: vec, probe: nil)
    let (total, processor) = (watch.seconds, watch.processorSeconds)
    if kind.isFull { clusters = cache.newClusters }
    guard isTimed else { return }
    let name = kind.isFull ? "full" : "cached"
    totals[name, default: (Sample(), Sample())].wall.values.append(total)
    totals[name]?.processor.values.append(processor)
    if times[name] == nil { times[name] = marks.map { ($0.part, Sample()) } }
    let ends = marks.dropFirst().map(\.begin) + [total]
    for (index, (mark, end)) in zip(marks, ends).enumerated() {
      times[name]?[index].wall.values.append(end - mark.begin)
    }
  }
}
