import Autoencoders
import Tensors
import Transformers

/// What is done with a model outside of its transformer: prompts and pixels. Its parts are loaded when they are first needed
/// and kept; it computes on a thread of its own, so that nobody else waits.
public actor ModelParts {
  private let model: any RenderModel
  private let thread: StageThread
  private var encoders: [Precision: any SubjectEncoder] = [:]
  private var decoders: [Precision: any LatentDecoder] = [:]

  /// - Throws: ``StageError/noThread(code:)``.
  public init(_ model: any RenderModel) throws(StageError) {
    self.model = model
    thread = try StageThread()
  }

  public nonisolated var unownedExecutor: UnownedSerialExecutor { thread.asUnownedSerialExecutor() }

  /// The numbers of a token of the latents.
  public func latentChannels(_ precision: Precision) throws -> Int {
    try model.transformerShapes(precision, blocks: 0..<1).latentChannels
  }

  /// The bytes that encoding a prompt takes, with the weights.
  public func encodingBytes(textTokens: Int, _ precision: Precision) -> Int {
    model.weightBytes(precision).textEncoders + model.encodingBytes(textTokens: textTokens)
  }

  /// The bytes that decoding takes, with the weights.
  public func decodingBytes(_ grid: TokenGrid, _ tiling: Tiling, _ precision: Precision) -> Int {
    model.weightBytes(precision).decoder + model.decodingBytes(grid, tiling)
  }

  /// - Throws: what is wrong with the checkpoint; `SampleError` for a subject that the model does not take.
  public func encode(
    _ subject: Subject, maximumTokens: Int, precision: Precision
  ) throws -> EncodedSubject {
    try Task.checkCancellation()
    let encoder = try encoders[precision] ?? model.loadEncoder(precision)
    encoders[precision] = encoder
    return try encoder.encode(subject, maximumTokens: maximumTokens)
  }

  /// Latents as the transformer has them, `[tokens, channels]` → `[frames, height, width, 3]` in 0...1.
  ///
  /// - Throws: what is wrong with the checkpoint.
  public func decode(
    _ latents: Tensor, _ grid: TokenGrid, _ tiling: Tiling, precision: Precision
  ) throws -> Tensor {
    try Task.checkCancellation()
    let decoder = try decoders[precision] ?? model.loadDecoder(precision)
    decoders[precision] = decoder
    return try decoder.decode(latents, grid, tiling)
  }
}
