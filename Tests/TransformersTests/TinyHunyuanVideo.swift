import FeatureCaching
import Rendering
import Tensors
import Transformers

/// The small HunyuanVideo model of random weights among the fixtures, cut into stages as a test likes.
struct TinyHunyuanVideo {
  static let folder =
    #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" }
    + "/Fixtures/reference/checkpoints/hunyuan-tiny/transformer"

  let configuration: HunyuanVideoConfiguration
  let parameters: Parameters

  init() throws {
    configuration = try HunyuanVideoConfiguration(PartConfiguration(path: "\(Self.folder)/config.json"))
    parameters = Parameters(try TensorStore(folder: Self.folder), precision: .float32)
  }

  /// - Parameter cuts: the first block of each stage but the first.
  func transport(cuts: [Int] = []) throws -> LocalTransport {
    let bounds = [0] + cuts + [configuration.blockCount]
    return LocalTransport(
      try zip(bounds, bounds.dropFirst()).map { lower, upper in
        try Stage(HunyuanVideoTransformer(configuration, parameters, blocks: lower..<upper))
      })
  }

  static let grid = TokenGrid(frames: 3, rows: 4, columns: 3)
  static let textTokens = 11
  static let validTokens = 6

  /// Random numbers around 0.
  static func random(_ rows: Int, _ columns: Int, _ place: UInt32) -> Tensor {
    let numbers = RandomKey(seed: 22, purpose: .test, layer: place).uniforms(0..<rows * columns)
    return Tensor(numbers.map { $0 * 4 - 2 }, shape: [rows, columns])
  }

  /// A prompt with padding behind it.
  func inputs(_ place: UInt32, validTokens: Int? = Self.validTokens) -> SampleInputs {
    SampleInputs(
      grid: Self.grid,
      condition: .text(
        Self.random(Self.textTokens, configuration.textWidth, place),
        pooled: Self.random(1, configuration.pooledWidth, place + 1), validTokens: validTokens), guidance: 6)
  }

  var noise: Tensor { Self.random(Self.grid.tokens, configuration.tokenChannels.input, 0) }

  /// - Parameter isGuided: whether a second sample, of a negative prompt, runs beside the first.
  func task(
    _ policy: any FeatureCachePolicy, steps: Int = 10, inputs: SampleInputs? = nil, isGuided: Bool = false
  ) -> DenoisingTask {
    DenoisingTask(
      job: 1, latents: noise,
      schedule: FlowMatchEuler(shift: .fixed(7)).schedule(
        steps: steps, imageTokens: Self.grid.tokens, spacing: .towardsZero),
      inputs: inputs ?? self.inputs(1), guidance: isGuided ? Guidance(inputs: self.inputs(3), scale: 4) : nil,
      policy: policy, choices: { KeyedChoices(seed: 78, row: $0) })
  }

  /// The latents after each step.
  func latents(_ task: DenoisingTask, cuts: [Int] = []) async throws -> [Tensor] {
    var latents: [Tensor] = []
    for try await step in Denoiser(task, over: try transport(cuts: cuts)) { latents.append(step.latents) }
    return latents
  }
}
