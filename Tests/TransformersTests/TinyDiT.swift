import FeatureCaching
import Rendering
import Tensors
import Transformers

/// The small DiT of random weights among the fixtures, cut into stages as a test likes.
struct TinyDiT {
  static func folder(_ name: String) -> String {
    #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }
      + "/Fixtures/reference/checkpoints/\(name)"
  }

  let configuration: DiTConfiguration
  let parameters: Parameters
  private let scheduler: any DiscreteScheduler

  /// - Parameter name: `dit-tiny-untied` has an embedder of its own in each block.
  init(_ name: String = "dit-tiny-mild", precision: Precision = .float32) throws {
    let folder = Self.folder(name)
    configuration = try DiTConfiguration(PartConfiguration(path: "\(folder)/transformer/config.json"))
    parameters = Parameters(try TensorStore(folder: "\(folder)/transformer"), precision: precision)
    scheduler = try DDIM(PartConfiguration(path: "\(folder)/scheduler/scheduler_config.json"))
  }

  /// - Parameter cuts: the first block of each stage but the first.
  func transport(cuts: [Int] = []) throws -> LocalTransport {
    let bounds = [0] + cuts + [configuration.blockCount]
    return LocalTransport(
      try zip(bounds, bounds.dropFirst()).map { lower, upper in
        try Stage(DiTTransformer(configuration, parameters, blocks: lower..<upper))
      })
  }

  func inputs(_ label: Int?) -> SampleInputs { SampleInputs(grid: configuration.grid, condition: .label(label)) }

  /// A run of a class, led away from no class.
  func task(_ policy: any FeatureCachePolicy, steps: Int = 10, isGuided: Bool = true) -> DenoisingTask {
    let shape = [configuration.grid.tokens, 4 * configuration.inputChannels]
    let numbers = RandomKey(seed: 5, purpose: .test).uniforms(0..<shape[0] * shape[1])
    return DenoisingTask(
      job: 1, latents: Tensor(numbers.map { $0 * 4 - 2 }, shape: shape), schedule: scheduler.schedule(steps: steps),
      inputs: inputs(207), guidance: isGuided ? Guidance(inputs: inputs(nil), scale: 1.5) : nil, policy: policy,
      choices: { KeyedChoices(seed: 77, row: $0) })
  }

  /// The latents after each step.
  func latents(_ task: DenoisingTask, cuts: [Int] = []) async throws -> [Tensor] {
    var latents: [Tensor] = []
    for try await step in Denoiser(task, over: try transport(cuts: cuts)) { latents.append(step.latents) }
    return latents
  }
}
