import FeatureCaching
import Rendering
import Tensors
import Transformers

/// The small models of random weights of all three families, for what holds for each of them.
enum TinyFamily: String, CaseIterable, Sendable {
  case flux, dit, hunyuan

  /// The authors' settings of a method for the family.
  func settings(_ method: CacheSettings.Method) -> CacheSettings {
    (self == .flux ? CacheSettings.flux : self == .dit ? .dit : .hunyuan).using(method)
  }

  /// What the model says of its branches.
  var branches: [BranchShape] {
    get throws {
      switch self {
      case .flux:
        try TinyFlux().configuration.branches(imageTokens: TinyFlux.grid.tokens, textTokens: TinyFlux.textTokens)
      case .dit: try TinyDiT().configuration.branches
      case .hunyuan:
        try TinyHunyuanVideo().configuration.branches(
          videoTokens: TinyHunyuanVideo.grid.tokens, textTokens: TinyHunyuanVideo.textTokens)
      }
    }
  }

  /// A run with a policy.
  ///
  /// - Parameter probe: looks inside of a step (the first number) of a row of the batch.
  func run(
    _ policy: any FeatureCachePolicy, steps: Int = 10, isGuided: Bool = true, cuts: [Int] = [],
    probe: (@Sendable (Int, UInt16) -> Probe?)? = nil
  ) async throws -> TinyModelRun {
    let (task, transport): (DenoisingTask, LocalTransport)
    switch self {
    case .flux:
      let model = try TinyFlux()
      (task, transport) = (model.task(policy, steps: steps, isGuided: isGuided), try model.transport(cuts: cuts))
    case .dit:
      let model = try TinyDiT()
      (task, transport) = (model.task(policy, steps: steps, isGuided: isGuided), try model.transport(cuts: cuts))
    case .hunyuan:
      let model = try TinyHunyuanVideo()
      (task, transport) = (model.task(policy, steps: steps, isGuided: isGuided), try model.transport(cuts: cuts))
    }
    var run = TinyModelRun(
      plannedCacheBytes: (isGuided ? 2 : 1)
        * (try branches.reduce(0) { $0 + policy.byteCount($1) } + Self.forecastBytes(policy, try branches)))
    for try await step in Denoiser(task, over: transport, probe: probe) {
      run.latents.append(step.latents)
      run.kinds.append(step.kind)
      run.cacheBytes.append(await transport.cacheBytes)
    }
    return run
  }
}

extension TinyFamily {
  /// Of the sums of forecasts that a stage keeps at most.
  static func forecastBytes(_ policy: any FeatureCachePolicy, _ branches: [BranchShape]) -> Int {
    guard let chain = policy.cutChain, let image = branches.first(where: { $0.branch.stream == .image }) else {
      return 0
    }
    return chain.mostCutSteps * image.tokens * image.width * MemoryLayout<Float>.stride
  }

  /// The outputs of a full step and of cached ones behind it, of the same latents at the same time.
  func repeatedStep(_ policy: any FeatureCachePolicy, cachedSteps: Int) async throws -> [Tensor] {
    let (task, transport): (DenoisingTask, LocalTransport) =
      switch self {
      case .flux: (try TinyFlux().task(policy), try TinyFlux().transport(cuts: [2]))
      case .dit: (try TinyDiT().task(policy), try TinyDiT().transport(cuts: [2]))
      case .hunyuan: (try TinyHunyuanVideo().task(policy), try TinyHunyuanVideo().transport(cuts: [2]))
      }
    let sample = SampleID(job: 1)
    try await transport.open(
      SampleSetup(
        id: sample, inputs: task.inputs, timesteps: Array(repeating: 600, count: 1 + cachedSteps), policy: policy,
        choices: task.choices(0)))
    var outputs: [Tensor] = []
    for step in 0...cachedSteps {
      let context = StepContext(
        sample: sample, index: step, kind: step == 0 ? .full : .cached(distance: step), timestep: 600)
      outputs.append(try await transport.step(context, latents: task.latents, probe: nil).output)
    }
    return outputs
  }
}

/// What became of a run, step by step.
struct TinyModelRun {
  var latents: [Tensor] = []
  var kinds: [StepKind] = []
  var cacheBytes: [Int] = []
  /// What the policy plans for all branches and samples.
  var plannedCacheBytes: Int
}
