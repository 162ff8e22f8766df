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

  /// A run with a policy.
  func run(
    _ policy: any FeatureCachePolicy, steps: Int = 10, isGuided: Bool = true, cuts: [Int] = [], isObserved: Bool = false
  ) async throws -> TinyModelRun {
    let (task, transport): (DenoisingTask, LocalTransport)
    let branches: [BranchShape]
    switch self {
    case .flux:
      let model = try TinyFlux()
      (task, transport) = (model.task(policy, steps: steps, isGuided: isGuided), try model.transport(cuts: cuts))
      branches = model.configuration.branches(imageTokens: TinyFlux.grid.tokens, textTokens: TinyFlux.textTokens)
    case .dit:
      let model = try TinyDiT()
      (task, transport) = (model.task(policy, steps: steps, isGuided: isGuided), try model.transport(cuts: cuts))
      branches = model.configuration.branches
    case .hunyuan:
      let model = try TinyHunyuanVideo()
      (task, transport) = (model.task(policy, steps: steps, isGuided: isGuided), try model.transport(cuts: cuts))
      branches = model.configuration.branches(
        videoTokens: TinyHunyuanVideo.grid.tokens, textTokens: TinyHunyuanVideo.textTokens)
    }
    var run = TinyModelRun(
      plannedCacheBytes: (isGuided ? 2 : 1) * branches.reduce(0) { $0 + policy.byteCount($1) })
    let ignoring: @Sendable (Int, UInt16) -> Probe? = { _, _ in Probe { _, _ in } }
    for try await step in Denoiser(task, over: transport, probe: isObserved ? ignoring : nil) {
      run.latents.append(step.latents)
      run.kinds.append(step.kind)
      run.cacheBytes.append(await transport.cacheBytes)
    }
    return run
  }
}

extension TinyFamily {
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
