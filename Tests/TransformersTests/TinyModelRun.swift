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
    _ policy: any FeatureCachePolicy, steps: Int = 10, isGuided: Bool = true, cuts: [Int] = []
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
    for try await step in Denoiser(task, over: transport) {
      run.latents.append(step.latents)
      run.kinds.append(step.kind)
      run.cacheBytes.append(await transport.cacheBytes)
    }
    return run
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
