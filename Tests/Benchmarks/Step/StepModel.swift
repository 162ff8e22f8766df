import ArgumentParser
import FeatureCaching
import Rendering
import StrictJSON
import Tensors
import Transformers

/// A transformer in the size of a released one, with random weights and of some of its blocks.
enum StepModel: String, CaseIterable, ExpressibleByArgument {
  case dit = "dit-256"
  case flux512 = "flux-512"
  case flux1024 = "flux-1024"
  case hunyuan = "hunyuan-4k"

  /// What it is, for the report.
  var title: String {
    switch self {
    case .dit: "DiT-XL/2, 256 x 256, both rows of its guidance"
    case .flux512: "FLUX.1, 512 x 512, 512 text tokens"
    case .flux1024: "FLUX.1, 1024 x 1024, 512 text tokens"
    case .hunyuan: "HunyuanVideo, 4,096 video tokens (4 latent frames of 512 x 512), 256 text tokens"
    }
  }

  var isFlux: Bool { self == .flux512 || self == .flux1024 }

  /// The blocks of the released model; of one that repeats two kinds of them, two of each are timed: what the first of
  /// the one kind and the last of the other do besides, such as clustering, the whole model does once.
  var repetition: (double: Int, single: Int)? {
    switch self {
    case .dit: nil
    case .flux512, .flux1024: (19, 38)
    case .hunyuan: (20, 40)
    }
  }

  /// How many blocks of the released model a block stands for.
  func weight(ofBlock block: Int) -> Double {
    guard let repetition else { return 1 }
    return [Double(repetition.double - 1), 1, 1, Double(repetition.single - 1)][block]
  }

  /// The blocks that PyTorch computes too: all, or one of each kind.
  func isCompared(_ block: Int) -> Bool { repetition == nil || block == 0 || block == 3 }

  private var grid: TokenGrid {
    switch self {
    case .dit: TokenGrid(rows: 16, columns: 16)
    case .flux512: TokenGrid(rows: 32, columns: 32)
    case .flux1024: TokenGrid(rows: 64, columns: 64)
    case .hunyuan: TokenGrid(frames: 4, rows: 32, columns: 32)
    }
  }

  private var textTokens: Int { self == .hunyuan ? 256 : 512 }

  /// The family's settings.
  func cache(_ kept: SeriesPrecision) -> CacheSettings {
    var settings: CacheSettings =
      switch self {
      case .dit: .dit
      case .flux512, .flux1024: .flux
      case .hunyuan: .hunyuan
      }
    (settings.outputs, settings.differences) = (kept.output, kept.differences)
    return settings
  }

  /// Distances of full steps whose cached steps are timed.
  var intervals: [Int] { self == .dit ? [5] : [5, 6] }

  /// Those that whole runs are reckoned with; `Benchmarks runs` times runs of the model that is there as a whole.
  var reckonedIntervals: [Int] { repetition == nil ? [] : intervals }

  func makeSample(_ precision: Precision) throws -> StepSample {
    switch self {
    case .dit:
      let configuration = try DiTConfiguration(
        PartConfiguration(path: "benchmark", json: ["_class_name": "DiTTransformer2DModel", "out_channels": 8]))
      return StepSample(
        model: try DiTTransformer(
          configuration, Parameters(RandomParameters(configuration), precision: precision)),
        inputs: [207, nil].map { SampleInputs(grid: grid, condition: .label($0)) }, branches: configuration.branches,
        outside: configuration.operationsOutsideOfBranches, outsideOfCached: configuration.operationsOutsideOfBranches)
    case .flux512, .flux1024:
      return try .flux(precision, double: 2, single: 2, grid: grid, textTokens: textTokens)
    case .hunyuan:
      let configuration = try HunyuanVideoConfiguration(
        PartConfiguration(
          path: "benchmark",
          json: [
            "_class_name": "HunyuanVideoTransformer3DModel", "num_layers": 2, "num_single_layers": 2, "patch_size_t": 1,
            "qk_norm": "rms_norm",
          ]))
      return StepSample(
        model: try HunyuanVideoTransformer(
          configuration, Parameters(RandomParameters(configuration), precision: precision)),
        inputs: [.prompt(grid, textTokens, width: configuration.textWidth, pooledWidth: configuration.pooledWidth)],
        branches: configuration.branches(videoTokens: grid.tokens, textTokens: textTokens),
        // Mostly of the refiner, which cached steps leave out.
        outside: configuration.operationsOutsideOfBranches(videoTokens: grid.tokens, textTokens: textTokens),
        outsideOfCached: 0)
    }
  }
}

/// What is timed.
struct StepSample {
  let model: any DiffusionTransformer
  /// Of each row.
  let inputs: [SampleInputs]
  /// Of one row.
  let branches: [BranchShape]
  /// Operations of a row's full step outside of the branches, and those of a cached one that are worth counting.
  let outside: Int
  let outsideOfCached: Int

  /// Operations of a step of one row.
  ///
  /// - Parameter weight: how many blocks of the released model a block stands for; 1 unless given.
  func operations(
    _ policy: any FeatureCachePolicy, at step: PlannedStep, weight: (_ block: Int) -> Double = { _ in 1 }
  ) -> Double {
    branches.reduce(Double(step.kind.isFull ? outside : outsideOfCached)) { sum, branch in
      sum + weight(branch.branch.block) * Double(policy.computedOperations(branch, at: step))
    }
  }

  /// A FLUX of some blocks.
  ///
  /// - Parameter heads: of 128 dimensions each; FLUX.1 has 24.
  static func flux(
    _ precision: Precision, double: Int, single: Int, heads: Int = 24, grid: TokenGrid, textTokens: Int
  ) throws -> StepSample {
    let configuration = try FluxConfiguration(
      PartConfiguration(
        path: "benchmark",
        json: [
          "num_layers": .integer(double), "num_single_layers": .integer(single), "guidance_embeds": true,
          "num_attention_heads": .integer(heads),
        ]))
    return StepSample(
      model: try FluxTransformer(configuration, Parameters(RandomParameters(configuration), precision: precision)),
      inputs: [.prompt(grid, textTokens, width: configuration.textWidth, pooledWidth: configuration.pooledWidth)],
      branches: configuration.branches(imageTokens: grid.tokens, textTokens: textTokens),
      outside: configuration.operationsOutsideOfBranches(imageTokens: grid.tokens), outsideOfCached: 0)
  }
}

extension SampleInputs {
  /// A prompt of random numbers.
  fileprivate static func prompt(_ grid: TokenGrid, _ tokens: Int, width: Int, pooledWidth: Int) -> SampleInputs {
    SampleInputs(
      grid: grid,
      condition: .text(
        RandomValues.tensor([tokens, width], seed: 7), pooled: RandomValues.tensor([pooledWidth], seed: 8)),
      guidance: 3.5)
  }
}
