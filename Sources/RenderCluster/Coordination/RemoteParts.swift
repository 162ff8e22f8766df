import Autoencoders
import Messaging
import Rendering
import StrictJSON
import Tensors
import Transformers

/// Prompts and pixels of one model at workers that can do them. Every call gives nil where no worker can, or the one that was
/// asked has failed: then the caller does it itself, with the same bits.
public struct RemoteParts: Sendable {
  let coordinator: Coordinator
  let model: any RenderModel
  let digest: Messaging.Digest
  let precision: Precision

  /// - Parameter digest: of the transformer, by which workers know the model.
  public init(_ coordinator: Coordinator, _ model: any RenderModel, digest: Messaging.Digest, precision: Precision) {
    self.coordinator = coordinator
    self.model = model
    self.digest = digest
    self.precision = precision
  }

  private var wirePrecision: WirePrecision { precision == .float32 ? .float32 : .bfloat16 }

  /// - Throws: `CancellationError`; what is wrong with the checkpoint.
  public func encode(_ subject: Subject, maximumTokens: Int, job: UInt64) async throws -> EncodedSubject? {
    guard case .prompt(let prompt) = subject,
      let shapes = try model.transformerShapes(precision, blocks: 0..<1).promptShapes(textTokens: maximumTokens),
      let text = TensorPlan(.prompt, .float32, shape: shapes.text),
      let pooled = TensorPlan(.pooled, .float32, shape: shapes.pooled)
    else { return nil }
    let wanted = ClusterTask(
      kind: .encode(textTokens: UInt32(maximumTokens)), model: digest, precision: wirePrecision,
      payload: TaskSettings.prompt(prompt).payload, input: nil, outputs: [text, pooled])
    guard let result = try await coordinator.run(wanted, job: job), let text = result.tensors[.prompt],
      let pooled = result.tensors[.pooled], let facts = try? TaskFacts(result.payload)
    else { return nil }
    return EncodedSubject(.text(text, pooled: pooled, validTokens: facts.validTokens), cutTokens: facts.cutTokens)
  }

  /// - Parameter shape: of the pixels, `[frames, height, width, 3]`.
  /// - Throws: `CancellationError`.
  public func decode(
    _ latents: Tensor, _ grid: TokenGrid, _ tiling: Tiling, shape: [Int], job: UInt64
  ) async throws -> Tensor? {
    guard let pixels = TensorPlan(.output, .float32, shape: shape) else { return nil }
    let wanted = ClusterTask(
      kind: .decode(frames: UInt32(grid.frames), rows: UInt32(grid.rows), columns: UInt32(grid.columns)), model: digest,
      precision: wirePrecision, payload: TaskSettings.tiling(tiling).payload, input: latents, outputs: [pixels])
    return try await coordinator.run(wanted, job: job)?.tensors[.output]
  }
}
