import Messaging
import Rendering
import Tensors
import Transformers

/// Something that a worker does beside its stage: a prompt, or latents that become pixels.
struct WorkerTask: Sendable {
  let order: TaskOrder
  let settings: TaskSettings
  let job: UInt64
  private let parts: ModelParts
  var work: Task<Void, Never>?

  init(_ order: TaskOrder, _ settings: TaskSettings, job: UInt64, parts: ModelParts) {
    self.order = order
    self.settings = settings
    self.job = job
    self.parts = parts
  }

  private var precision: Precision { order.precision == .float32 ? .float32 : .bfloat16 }

  /// The latents that are waited for; nil for a prompt.
  ///
  /// - Throws: ``WireError`` for more than travels.
  func inputPlan() async throws -> TensorPlan? {
    guard let grid else { return nil }
    let shape = [grid.tokens, try await parts.latentChannels(precision)]
    guard let plan = TensorPlan(.latents, .float32, shape: shape) else {
      throw WireError("Latents of shape \(shape) do not travel")
    }
    return plan
  }

  private var grid: TokenGrid? {
    guard case .decode(let frames, let rows, let columns) = order.kind else { return nil }
    return TokenGrid(frames: Int(frames), rows: Int(rows), columns: Int(columns))
  }

  /// - Parameter memoryBytes: what the worker may use.
  /// - Throws: ``JobError`` for what would not fit, ``WireError`` for settings of another kind of task; what is wrong with the
  ///   checkpoint.
  func outcome(_ latents: Tensor?, memoryBytes: Int) async throws -> TaskOutcome {
    let start = Clock.microseconds
    var outcome = TaskOutcome()
    switch (order.kind, settings) {
    case (.encode(let tokens), .prompt(let prompt)):
      try await checkMemory(parts.encodingBytes(textTokens: Int(tokens), precision), memoryBytes)
      let encoded = try await parts.encode(.prompt(prompt), maximumTokens: Int(tokens), precision: precision)
      guard case .text(let text, let pooled, let valid) = encoded.condition else {
        throw WireError("The model takes no prompts")
      }
      outcome.tensors = [(.prompt, text), (.pooled, pooled)]
      outcome.facts = TaskFacts(cutTokens: encoded.cutTokens, validTokens: valid)
    case (.decode, .tiling(let tiling)):
      guard let grid, let latents else { throw WireError("There are no latents to decode") }
      try await checkMemory(parts.decodingBytes(grid, tiling, precision), memoryBytes)
      outcome.tensors = [(.output, try await parts.decode(latents, grid, tiling, precision: precision))]
    default: throw WireError("The settings are those of another kind of task")
    }
    outcome.microseconds = Clock.microseconds - start
    return outcome
  }

  private func checkMemory(_ needed: Int, _ available: Int) throws {
    guard needed > available else { return }
    throw JobError(
      .memory, "This takes about \(StagePlanFailure.bytes(needed)), but there are \(StagePlanFailure.bytes(available))."
    )
  }
}

/// What came of a task.
struct TaskOutcome: Sendable {
  var tensors: [(stream: WireStream, tensor: Tensor)] = []
  var facts = TaskFacts()
  var microseconds: Int64 = 0
}
