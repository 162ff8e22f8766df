import FeatureCaching
import Tensors
import Transformers

/// Renders pictures that were announced together: their subjects are encoded first, then the encoders give their memory
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
  private let subjects: [EncodingKey: EncodedSubject]
  /// Nil if each run brings its own.
  private let transport: (any StageTransport)?
  /// Nil if pixels are made elsewhere.
  private let decoder: (any LatentDecoder)?

  /// What is being done before the first step.
  public enum Phase: String, Sendable {
    case encodingPrompts = "encoding prompts"
    case loadingTransformer = "loading the transformer"
  }

  private struct EncodingKey: Hashable {
    var subject: Subject
    var tokens: Int
  }

  /// Encodes the subjects of `requests` and loads the transformer and the decoder.
  ///
  /// - Parameters:
  ///   - weights: how the transformer is held.
  ///   - onPhase: is told what begins.
  /// - Throws: what is wrong with the checkpoint, or `CancellationError`.
  public init(
    _ model: any RenderModel, _ requests: [RenderRequest], precision: Precision,
    weights: TransformerWeights = TransformerWeights(), onPhase: @Sendable (Phase) -> Void = { _ in }
  ) async throws {
    self.model = model
    onPhase(.encodingPrompts)
    // Encoding takes minutes with large encoders; what is wrong with the rest is said before.
    try model.checkTensors()
    subjects = try Self.encode(requests, model.loadEncoder(precision))
    onPhase(.loadingTransformer)
    try Task.checkCancellation()
    let transformer = try model.loadTransformer(precision, blocks: nil, packed: weights.packed)
    transport = LocalTransport([try Stage(transformer, residentBlocks: weights.residentBlocks)])
    decoder = try model.loadDecoder(precision)
  }

  /// A session whose stages are elsewhere, with parts that are loaded already. Each run brings its transport.
  ///
  /// - Throws: `SampleError` for a subject that the model does not take, or `CancellationError`.
  public init(
    _ model: any RenderModel, _ requests: [RenderRequest], encoder: any SubjectEncoder, decoder: any LatentDecoder
  ) throws {
    self.model = model
    self.decoder = decoder
    subjects = try Self.encode(requests, encoder)
    transport = nil
  }

  /// A session of which only the subjects are here; stages and decoder are elsewhere.
  ///
  /// - Parameter encoded: all subjects of the requests.
  public init(_ model: any RenderModel, _ requests: [RenderRequest], encoded: [Subject: EncodedSubject]) {
    self.model = model
    var subjects: [EncodingKey: EncodedSubject] = [:]
    for request in requests {
      for subject in request.subjects {
        subjects[EncodingKey(subject: subject, tokens: request.textTokens)] = encoded[subject]
      }
    }
    self.subjects = subjects
    transport = nil
    decoder = nil
  }

  private static func encode(
    _ requests: [RenderRequest], _ encoder: any SubjectEncoder
  ) throws -> [EncodingKey: EncodedSubject] {
    var encoded: [EncodingKey: EncodedSubject] = [:]
    for request in requests {
      for subject in request.subjects {
        let key = EncodingKey(subject: subject, tokens: request.textTokens)
        guard encoded[key] == nil else { continue }
        try Task.checkCancellation()
        encoded[key] = try encoder.encode(subject, maximumTokens: request.textTokens)
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
  ///   - transport: to the stages; the session's own unless given.
  public func run(_ request: RenderRequest, job: Int = 0, over transport: (any StageTransport)? = nil) -> Run {
    guard let transport = transport ?? self.transport else { preconditionFailure("the run has no stages") }
    let grid = model.grid(request)
    var generator = TorchGenerator(seed: request.seed, noise: request.noise)
    let latents = model.noise(grid, rows: 1, &generator, request.noiseFormat)
    let noise = SamplerNoise(generator) { [model] generator in
      model.noise(grid, rows: request.rows, &generator, request.noiseFormat)
    }
    let encoded = encoded(request.subject, request)
    func inputs(_ subject: EncodedSubject) -> SampleInputs {
      SampleInputs(
        grid: grid, condition: subject.condition, guidance: model.takesGuidance ? Float(request.guidance) : nil)
    }
    let policy = request.cache.policy
    let seed = request.seed
    let task = DenoisingTask(
      job: job, latents: latents, schedule: model.schedule(steps: request.steps, grid: grid), noise: noise,
      inputs: inputs(encoded),
      guidance: request.isGuided
        ? Guidance(
          inputs: inputs(self.encoded(request.negative, request)), scale: Float(request.cfgScale),
          columns: model.guidedColumns(request.guidedChannels)) : nil,
      policy: policy, choices: { KeyedChoices(seed: seed, row: $0) })
    return Run(
      request: request, grid: grid, steps: Denoiser(task, over: transport), policy: policy,
      cutTokens: encoded.cutTokens)
  }

  private func encoded(_ subject: Subject, _ request: RenderRequest) -> EncodedSubject {
    guard let encoded = subjects[EncodingKey(subject: subject, tokens: request.textTokens)] else {
      preconditionFailure("the session was not made for this request")
    }
    return encoded
  }

  /// The picture or video that latents, `[image tokens, channels]`, stand for: `[frames, height, width, 3]` in 0...1.
  public func decode(_ latents: Tensor, of run: Run) throws -> Tensor {
    try ownDecoder.decode(latents, run.grid, run.request.tiling)
  }

  private var ownDecoder: any LatentDecoder {
    guard let decoder else { preconditionFailure("the session has no decoder") }
    return decoder
  }

  /// The first frame alone, `[1, height, width, 3]` in 0...1: of a video a picture that takes little time.
  public func decodeFirstFrame(_ latents: Tensor, of run: Run) throws -> Tensor {
    var grid = run.grid
    grid.frames = 1
    return try ownDecoder.decode(latents.rows(0..<grid.tokens), grid, run.request.tiling)
  }

  /// The bytes that feature caches hold now.
  public var cacheBytes: Int {
    get async { await transport?.cacheBytes ?? 0 }
  }
}
