import Autoencoders
import Media
import Rendering
import StrictJSON
import Tensors

/// Renders the pictures of a plan one after the other: progress, previews, files, report.
struct PictureRenderer {
  let model: any RenderModel
  let plan: PicturePlan
  let options: OutputOptions

  /// So many pictures' prompts are encoded together, before the encoders give their memory to the transformer.
  private static let picturesPerSession = 128

  func run() async throws {
    if !options.quiet {
      for note in plan.notes { StandardError.write("clusca: \(note)") }
      if !plan.donePaths.isEmpty {
        StandardError.write("clusca: \(plan.donePaths.count) pictures are there already and are not rendered again.")
      }
    }
    try checkMemory()
    var number = 0
    for start in stride(from: 0, to: plan.pictures.count, by: Self.picturesPerSession) {
      let group = plan.pictures[start..<min(start + Self.picturesPerSession, plan.pictures.count)]
      let session = try await session(Array(group))
      for picture in group {
        number += 1
        try await render(picture, number: number, session)
      }
    }
  }

  /// Refuses what would not fit, before anything is loaded.
  private func checkMemory() throws {
    guard let precision = plan.pictures.first?.settings.precision else { return }
    let estimate = MemoryEstimate(model, plan.pictures.map(\.settings.request), precision: precision)
    guard let available = Memory.available, estimate.peak > available else { return }
    let parts = [
      ("text encoders", estimate.textEncoders), ("transformer", estimate.transformer), ("decoder", estimate.decoder),
      ("feature cache", estimate.cache), ("activations", estimate.activations), ("decoding", estimate.decoding),
    ]
    throw CommandFailure(
      .memory,
      "This takes about \(ByteCount(estimate.peak)) of memory ("
        + parts.map { "\($0.0) \(ByteCount($0.1))" }.joined(separator: ", ")
        + "; text encoders and transformer not at the same time), but \(ByteCount(available)) are available; a smaller "
        + "picture, --dtype bf16, --cache none or more memory help.")
  }

  private func session(_ pictures: [PicturePlan.Picture]) async throws -> RenderSession {
    let progress = ProgressLine(steps: pictures[0].settings.steps, isShown: !options.quiet)
    defer { progress.clear() }
    return try await RenderSession(
      model, pictures.map(\.settings.request), precision: pictures[0].settings.precision
    ) { progress.phase($0.rawValue) }
  }

  private func render(_ picture: PicturePlan.Picture, number: Int, _ session: RenderSession) async throws {
    let start = ContinuousClock.now
    let run = session.run(picture.settings.request)
    if run.cutTokens > 0, !options.quiet {
      StandardError.write(
        "clusca: The last \(run.cutTokens) tokens of a prompt have no effect: only \(picture.settings.textTokens) are seen "
          + "(--max-sequence-length).")
    }
    let progress = ProgressLine(
      picture: number, of: plan.pictures.count, steps: picture.settings.steps, isShown: !options.quiet)
    defer { progress.clear() }
    var last: DenoisedStep?
    var preview = options.preview
    for try await step in run.steps {
      progress.finishedStep(kind: step.kind.isFull ? "full" : "cached")
      try checkNumbers(step.latents, "its transformer gave them at step \(step.index + 1)")
      last = step
      if let path = preview, (step.index + 1) % options.previewInterval == 0 {
        let png = try png(session.decode(step.denoised, of: run))
        do throws(MediaError) {
          try AtomicFile.write(png, to: path, ifExists: .overwrite, createFolders: true)
        } catch {
          // No reason to lose the picture.
          StandardError.write("clusca: \(error) There are no further previews of this picture.")
          preview = nil
        }
      }
    }
    guard let last else { preconditionFailure("a run has at least one step") }
    let denoising = start.duration(to: .now)
    progress.phase("decoding")
    let pixels = try session.decode(last.latents, of: run)
    try checkNumbers(pixels, "its decoder gave them")
    try Task.checkCancellation()
    let texts = options.noMetadata ? [] : try picture.settings.metadata.texts()
    let path = try FinishedPicture(png: png(pixels, texts: texts)).write(
      to: picture.path, ifExists: options.force ? .overwrite : .number)
    progress.clear()
    let report = PictureRunReport(
      path: path, settings: picture.settings, summary: summary(of: run), denoising: denoising,
      total: start.duration(to: .now))
    if !options.quiet { StandardError.write(report.line) }
    try StandardOutput.write(options.json ? JSONValue.object(report.json).text() : path)
  }

  private func summary(of run: RenderSession.Run) -> RunSummary {
    RunSummary(
      run.policy, steps: run.request.steps, rows: run.request.rows,
      cost: model.cost(run.grid, textTokens: run.request.textTokens))
  }

  private func png(_ pixels: Tensor, texts: [PNGText] = []) throws -> [UInt8] {
    let picture = try Picture(width: pixels.shape[1], height: pixels.shape[0], bytes: Pixels.bytes(pixels))
    return try PNG.encode(picture, texts: texts)
  }

  /// Damaged weights would give a black picture, and perhaps after hours.
  private func checkNumbers(_ tensor: Tensor, _ source: String) throws {
    guard !tensor.withUnsafeElements({ $0.allSatisfy(\.isFinite) }) else { return }
    throw CommandFailure(
      .input,
      "\(model.path) gives numbers that are infinite or none at all (\(source)), so that there is no picture; its weights "
        + "are damaged, or --cfg-scale or --guidance is too large.")
  }
}
