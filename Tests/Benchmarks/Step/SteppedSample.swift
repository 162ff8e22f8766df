import FeatureCaching
import Measuring
import Tensors
import Transformers

/// The samples of a step of a model on one stage, such as the two rows of guidance, of which somebody asks for any steps.
final class SteppedSample {
  /// How long a step of all rows took, in seconds.
  struct Times {
    var total = 0.0
    /// Of all threads together.
    var processor = 0.0
    /// Each block from its beginning to that of the next.
    var blocks: [Double] = []
  }

  private let model: any DiffusionTransformer
  private var rows: [Row]
  private let latents: Tensor
  /// Of a run; steps that somebody asks for beyond are those of further runs.
  private let timesteps = (0..<50).map { 1000 - 20 * Float($0) }

  private struct Row {
    let sample: any TransformerSample
    let cache: any FeatureCache
    /// Of runs without caching.
    let noCache: any FeatureCache
    var clusters: [TokenStream: TokenClusters] = [:]
  }

  init(_ source: StepSample, _ policy: any FeatureCachePolicy) throws {
    model = source.model
    let timesteps = timesteps
    rows = try source.inputs.enumerated().map { row, inputs in
      let setup = CacheSetup(
        choices: KeyedChoices(seed: 0, row: UInt16(row)), steps: .max, layout: source.model.layout,
        columns: inputs.grid.columns)
      return Row(
        sample: try source.model.makeSample(inputs, timesteps: timesteps), cache: policy.makeCache(setup),
        noCache: NoCaching().makeCache(setup))
    }
    latents = RandomValues.tensor([source.inputs[0].grid.tokens, source.model.latentChannels], seed: 9)
  }

  /// Computes what is computed once for all steps.
  func prepare() {
    for row in rows { _ = row.sample.conditioning(timestep: timesteps[0], probe: nil) }
  }

  /// Full steps take one row after the other, cached ones all side by side, as stages do.
  func fullStep(_ index: Int) -> Times {
    sequence { row in
      let times = run([(rows[row], rows[row].cache)], index, .full, model.blocks)
      rows[row].clusters = rows[row].cache.newClusters
      return times
    }
  }

  /// The cached steps behind a full one, up to the next.
  ///
  /// - Parameter blocks: all unless given.
  /// - Returns: the mean seconds of a step, with its share of what is done once for all of them.
  func cachedSteps(behind full: Int, interval: Int, blocks: BlockRange? = nil) -> Double {
    let times = (1..<interval).map { distance in
      run(rows.map { ($0, $0.cache) }, full + distance, .cached(distance: distance), blocks ?? model.blocks).total
    }
    return times.reduce(0, +) / Double(times.count)
  }

  func uncachedStep(_ index: Int) -> Times {
    sequence { run([(rows[$0], rows[$0].noCache)], index, .full, model.blocks) }
  }

  private func timestep(_ step: Int) -> Float { timesteps[step % timesteps.count] }

  private func sequence(_ times: (_ row: Int) -> Times) -> Times {
    rows.indices.map(times).reduce(Times()) { sum, row in
      Times(
        total: sum.total + row.total, processor: sum.processor + row.processor,
        blocks: sum.blocks.isEmpty ? row.blocks : zip(sum.blocks, row.blocks).map(+))
    }
  }

  private func run(
    _ rows: [(row: Row, cache: any FeatureCache)], _ index: Int, _ kind: StepKind, _ blocks: BlockRange
  ) -> Times {
    let watch = Stopwatch()
    var begins: [Double] = []
    var passes = rows.map { row, cache in
      cache.begin(CacheStep(index: index, kind: kind, clusters: kind.isFull ? [:] : row.clusters))
      let conditioning = row.sample.conditioning(timestep: timestep(index), probe: nil)
      let state = row.sample.embed(
        latents, conditioning: conditioning, leavesTextOut: cache.leavesTextOut, probe: nil)
      if !kind.isFull {
        // Only a cancelled task throws.
        _ = try? row.sample.sumForecasts(
          of: cache, from: nil, state, first: index, imageTokens: latents.rows, blocks: blocks, isLast: true,
          timestep: timestep)
      }
      return SamplePass(sample: row.sample, state: state, conditioning: conditioning, cache: cache)
    }
    model.run(&passes, blocks: blocks) { _ in begins.append(watch.seconds) }
    begins.append(watch.seconds)
    for pass in passes { _ = pass.sample.project(pass.state, conditioning: pass.conditioning, probe: nil) }
    return Times(
      total: watch.seconds, processor: watch.processorSeconds, blocks: zip(begins, begins.dropFirst()).map { $1 - $0 })
  }
}
