import FeatureCaching
import Tensors
import Transformers

/// Renders pictures that were announced together: their prompts are encoded first, then the encoders give their memory
/// to the transformer.
///
/// ```swift
/// let session = try await RenderSession(model, requests, precision: .bfloat16)
/// for request in requests {
///   let run = session.run(request)
///   for try await step in run.steps { … }
/// }
/// ```
public struct RenderSession: Sendable {
  public let model: any RenderModel
  private let prompts: [EncodingKey: EncodedPrompt]
  private let transport: any StageTransport
  private let decoder: any LatentDecoder

  /// What is being done before the first step.
  public enum Phase: String, Sendable {
    case encodingPrompts = "encoding prompts"
    case loadingTransformer = "loading the transformer"
  }

  private struct EncodingKey: Hashable {
    var prompt: PromptText
    var tokens: Int
  }

  /// Encodes the prompts of `requests` and loads the transformer and the decoder.
  ///
  /// - Parameter onPhase: is told what begins.
  /// - Throws: what is wrong with the checkpoint, or `CancellationError`.
  public init(
    _ model: any RenderModel, _ requests: [RenderRequest], precision: Precision,
    onPhase: @Sendable (Phase) -> Void = { _ in }
  ) async throws {
    self.model = model
    onPhase(.encodingPrompts)
    prompts = try Self.encode(requests, model, precision)
    onPhase(.loadingTransformer)
    try Task.checkCancellation()
    transport = LocalTransport([Stage(try model.loadTransformer(precision, blocks: nil))])
    decoder = try model.loadDecoder(precision)
  }

  private static func encode(
    _ requests: [RenderRequest], _ model: any RenderModel, _ precision: Precision
  ) throws -> [EncodingKey: EncodedPrompt] {
    let encoder = try model.loadPromptEncoder(precision)
    var encoded: [EncodingKey: EncodedPrompt] = [:]
    for request in requests {
      for prompt in [request.prompt] + (request.isGuided ? [request.negativePrompt] : []) {
        let key = EncodingKey(prompt: prompt, tokens: request.textTokens)
        guard encoded[key] == nil else { continue }
        try Task.checkCancellation()
        encoded[key] = try encoder.encode(prompt, maximumTokens: request.textTokens)
      }
    }
    return encoded
  }

  /// The denoising of one picture, ready to be walked through.
  public struct Run: Sendable {
    public let request: RenderRequest
    public let grid: TokenGrid
    public let steps: Denoiser
    public let policy: any FeatureCachePolicy
    /// How many tokens of the prompt were too many and have no effect.
    public let cutTokens: Int
  }

  /// - Parameters:
  ///   - request: one of those that the session was made for, of a size that the model takes.
  ///   - job: tells apart pictures that are rendered at the same time.
  public func run(_ request: RenderRequest, job: Int = 0) -> Run {
    let grid = model.grid(width: request.width, height: request.height)
    var generator = TorchGenerator(seed: request.seed, noise: request.noise)
    let encoded = encoded(request.prompt, request)
    func inputs(_ prompt: EncodedPrompt) -> SampleInputs {
      SampleInputs(
        grid: grid, text: prompt.text, pooled: prompt.pooled,
        guidance: model.takesGuidance ? Float(request.guidance) : nil)
    }
    let policy = request.cache.policy
    let seed = request.seed
    let task = DenoisingTask(
      job: job, latents: model.noise(grid, &generator, request.noiseFormat),
      schedule: model.schedule(steps: request.steps, grid: grid), inputs: inputs(encoded),
      negative: request.isGuided
        ? (inputs: inputs(self.encoded(request.negativePrompt, request)), scale: Float(request.cfgScale)) : nil,
      policy: policy, choices: { KeyedChoices(seed: seed, row: $0) })
    return Run(
      request: request, grid: grid, steps: Denoiser(task, over: transport), policy: policy,
      cutTokens: encoded.cutTokens)
  }

  private func encoded(_ prompt: PromptText, _ request: RenderRequest) -> EncodedPrompt {
    guard let encoded = prompts[EncodingKey(prompt: prompt, tokens: request.textTokens)] else {
      preconditionFailure("the session was not made for this request")
    }
    return encoded
  }

  /// The picture that latents, `[image tokens, channels]`, stand for: `[height, width, 3]` in 0...1.
  public func decode(_ latents: Tensor, of run: Run) throws -> Tensor {
    try decoder.decode(latents, run.grid, run.request.tiling)
  }

  /// The bytes that feature caches hold now.
  public var cacheBytes: Int {
    get async { await transport.cacheBytes }
  }
}
