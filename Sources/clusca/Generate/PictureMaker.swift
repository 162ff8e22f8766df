import Autoencoders
import FeatureCaching
import Media
import RenderCluster
import Rendering
import Tensors

/// Computes pictures one after the other and shows how far they have come; what becomes of them is the caller's.
struct PictureMaker {
  let model: any RenderModel
  /// How many there will be.
  let count: Int
  let isQuiet: Bool
  /// Where the transformer is, if not in this process.
  var cluster: ClusterStages?
  /// What makes the pixels, if not the session.
  var host: ModelHost?
  /// The line of several pictures that are made at the same time; each has its own unless given.
  var sharedProgress: ProgressLine?
  /// The bytes of memory to use; those that are available unless given.
  var memory: Int?

  /// A picture that is done.
  struct Made {
    let pixels: Tensor
    let summary: RunSummary
    /// The time of all steps, with what the caller did at each.
    let denoising: Duration
  }

  /// Encodes the prompts and loads what the pictures need.
  func session(_ pictures: [PictureSettings], _ weights: TransformerWeights) async throws -> RenderSession {
    let progress = ProgressLine(steps: pictures[0].steps, isShown: !isQuiet)
    defer { progress.clear() }
    let (requests, precision) = (pictures.map(\.request), pictures[0].precision)
    guard cluster != nil else {
      return try await RenderSession(model, requests, precision: precision, weights: weights) {
        progress.phase($0.rawValue)
      }
    }
    progress.phase(RenderSession.Phase.encodingPrompts.rawValue)
    try model.checkTensors()
    return try RenderSession(
      model, requests, encoder: model.loadEncoder(precision), decoder: model.loadDecoder(precision))
  }

  /// - Parameters:
  ///   - number: of the picture, from 1.
  ///   - onStep: is called behind each step.
  func make(
    _ settings: PictureSettings, number: Int, _ session: RenderSession,
    onStep: (DenoisedStep, RenderSession.Run) throws -> Void = { _, _ in }
  ) async throws -> Made {
    guard let cluster else { return try await make(settings, number: number, session, over: nil, onStep) }
    let transport = try await cluster.admit(settings, model)
    do {
      let made = try await make(settings, number: number, session, over: transport, onStep)
      await cluster.coordinator.leave(transport)
      return made
    } catch {
      await cluster.coordinator.leave(transport)
      throw error
    }
  }

  private func make(
    _ settings: PictureSettings, number: Int, _ session: RenderSession, over transport: RemoteTransport?,
    _ onStep: (DenoisedStep, RenderSession.Run) throws -> Void
  ) async throws -> Made {
    let start = ContinuousClock.now
    let run = session.run(settings.request, over: transport)
    if run.cutTokens > 0, !isQuiet {
      StandardError.write(
        "clusca: The last \(run.cutTokens) tokens of a prompt have no effect: only \(settings.textTokens) are seen "
          + "(--max-sequence-length).")
    }
    let progress =
      sharedProgress ?? ProgressLine(picture: number, of: count, steps: settings.steps, isShown: !isQuiet)
    defer { if sharedProgress == nil { progress.clear() } }
    var last: DenoisedStep?
    var kinds: [StepKind] = []
    for try await step in run.steps {
      progress.finishedStep(kind: step.kind.isFull ? "full" : "cached")
      try checkNumbers(step.latents, "its transformer gave them at step \(step.index + 1)")
      last = step
      kinds.append(step.kind)
      try onStep(step, run)
    }
    guard let last else { preconditionFailure("a run has at least one step") }
    let denoising = start.duration(to: .now)
    if sharedProgress == nil { progress.phase("decoding") }
    let pixels =
      if let host, let cluster {
        try await host.decode(last.latents, of: run, settings, model, cluster, job: cluster.job ?? 0)
      } else {
        try session.decode(last.latents, of: run)
      }
    try checkNumbers(pixels, "its decoder gave them")
    try Task.checkCancellation()
    let summary = RunSummary(
      run.policy, kinds: kinds, rows: run.request.rows,
      cost: model.cost(run.grid, textTokens: run.request.textTokens))
    return Made(pixels: pixels, summary: summary, denoising: denoising)
  }

  /// Damaged weights would give a black picture, and perhaps after hours.
  private func checkNumbers(_ tensor: Tensor, _ source: String) throws {
    guard !tensor.isFinite else { return }
    throw CommandFailure(
      .input,
      "\(model.path) gives numbers that are infinite or none at all (\(source)), so that there is no picture; its weights "
        + "are damaged, or --cfg-scale or --guidance is too large.")
  }
}

extension Picture {
  /// A decoded picture, `[frames, height, width, 3]` in 0...1; the frames of a video stand below one another.
  init(pixels: Tensor) throws {
    try self.init(
      width: pixels.shape[2], height: pixels.shape[0] * pixels.shape[1], bytes: Pixels.bytes(pixels))
  }

  /// The frames of a video.
  static func frames(_ pixels: Tensor) throws -> [Picture] {
    let area = pixels.shape[1] * pixels.shape[2]
    return try (0..<pixels.shape[0]).map { frame in
      try Picture(
        width: pixels.shape[2], height: pixels.shape[1],
        bytes: Pixels.bytes(pixels.rows(frame * area..<(frame + 1) * area)))
    }
  }
}
