import FeatureCaching
import Rendering
import Tensors
import Transformers

/// The small FLUX model of random weights among the fixtures, cut into stages as a test likes.
struct TinyFlux {
  static let folder =
    #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }
    + "/Fixtures/reference/checkpoints/flux-dev-tiny/transformer"

  let configuration: FluxConfiguration
  private let parameters: Parameters

  init() throws {
    configuration = try FluxConfiguration(PartConfiguration(path: "\(Self.folder)/config.json"))
    parameters = Parameters(try TensorStore(folder: Self.folder), precision: .float32)
  }

  func transformer(_ blocks: BlockRange) throws -> FluxTransformer {
    try FluxTransformer(configuration, parameters, blocks: blocks)
  }

  /// - Parameter cuts: the first block of each stage but the first.
  func transport(cuts: [Int] = []) throws -> LocalTransport {
    let bounds = [0] + cuts + [configuration.blockCount]
    return LocalTransport(
      try zip(bounds, bounds.dropFirst()).map { lower, upper in
        try Stage(transformer(lower..<upper))
      })
  }

  static let grid = TokenGrid(rows: 6, columns: 5)
  static let textTokens = 9

  /// Random numbers around 0.
  private static func random(_ rows: Int, _ columns: Int, _ place: UInt32) -> Tensor {
    let numbers = RandomKey(seed: 21, purpose: .test, layer: place).uniforms(0..<rows * columns)
    return Tensor(numbers.map { $0 * 4 - 2 }, shape: [rows, columns])
  }

  private func inputs(_ place: UInt32) -> SampleInputs {
    SampleInputs(
      grid: Self.grid,
      condition: .text(
        Self.random(Self.textTokens, configuration.textWidth, place),
        pooled: Self.random(1, configuration.pooledWidth, place + 1)), guidance: 3.5)
  }

  /// - Parameter isGuided: whether a second, unconditional sample runs beside the first.
  func task(_ policy: any FeatureCachePolicy, steps: Int = 10, isGuided: Bool = false) -> DenoisingTask {
    DenoisingTask(
      job: 1, latents: Self.random(Self.grid.tokens, configuration.inputChannels, 0),
      schedule: FlowMatchEuler(shift: .fixed(1)).schedule(steps: steps, imageTokens: Self.grid.tokens),
      inputs: inputs(1), guidance: isGuided ? Guidance(inputs: inputs(3), scale: 4) : nil, policy: policy,
      choices: { KeyedChoices(seed: 77, row: $0) })
  }

  /// The latents after each step.
  func latents(_ task: DenoisingTask, cuts: [Int] = []) async throws -> [Tensor] {
    var latents: [Tensor] = []
    for try await step in Denoiser(task, over: try transport(cuts: cuts)) { latents.append(step.latents) }
    return latents
  }
}
