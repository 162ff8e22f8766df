import Files
import Media
import Rendering
import StrictJSON
import Tensors

/// Renders the pictures of a plan one after the other: progress, previews, files, report.
struct PictureRenderer {
  let model: any RenderModel
  let plan: PicturePlan
  let options: OutputOptions
  let previews: PreviewOptions
  /// Files that belong to a single file of a transformer.
  let parts: [String]
  /// Where the transformer is, if not in this process.
  var cluster: ClusterStages?
  /// The bytes of memory to use; those that are available unless given.
  var memory: Int?

  /// So many pictures' prompts are encoded together, before the encoders give their memory to the transformer.
  private static let picturesPerSession = 128

  func run() async throws {
    if !options.quiet {
      for note in plan.notes { StandardError.write("clusca: \(note)") }
      if !plan.donePaths.isEmpty {
        StandardError.write("clusca: \(plan.donePaths.count) pictures are there already and are not rendered again.")
      }
    }
    let weights = try maker.transformerWeights(plan.pictures.map(\.settings))
    guard let path = options.manifest else { return try await renderAll(weights) { _ in } }
    var manifest = try RenderManifest(of: model, parts: parts, isQuiet: options.quiet)
    func write() throws { try manifest.write(to: path, ifExists: options.force ? .overwrite : .refuse) }
    do {
      try await renderAll(weights) { manifest.pictures.append($0) }
    } catch {
      // What is finished was recorded, too.
      if !manifest.pictures.isEmpty { try? write() }
      throw error
    }
    try write()
  }

  /// - Parameter record: is called with what becomes of each picture, if a manifest is asked for.
  private func renderAll(
    _ weights: TransformerWeights, _ record: (RenderManifest.Picture) -> Void
  ) async throws {
    var number = 0
    for start in stride(from: 0, to: plan.pictures.count, by: Self.picturesPerSession) {
      let group = plan.pictures[start..<min(start + Self.picturesPerSession, plan.pictures.count)]
      let session = try await maker.session(group.map(\.settings), weights)
      if let cluster {
        let places = min(group.count, cluster.picturesAtOnce)
        try await renderTogether(Array(group), from: number, session, places: places, record)
        number += group.count
        continue
      }
      for picture in group {
        number += 1
        if let made = try await render(picture, number: number, session, maker) { record(made) }
      }
    }
  }

  /// Several pictures at a time, so that all workers have work.
  private func renderTogether(
    _ pictures: [PicturePlan.Picture], from first: Int, _ session: RenderSession, places: Int,
    _ record: (RenderManifest.Picture) -> Void
  ) async throws {
    var maker = maker
    let progress = ProgressLine(steps: pictures.reduce(0) { $0 + $1.settings.steps }, isShown: !options.quiet)
    defer { progress.clear() }
    maker.sharedProgress = progress
    try await withThrowingTaskGroup(of: RenderManifest.Picture?.self) { [maker] group in
      for (index, picture) in pictures.enumerated() {
        if index >= places, let made = try await group.next() ?? nil { record(made) }
        group.addTask { try await render(picture, number: first + index + 1, session, maker) }
      }
      for try await made in group { if let made { record(made) } }
    }
  }

  private var maker: PictureMaker {
    PictureMaker(
      model: model, count: plan.pictures.count, isQuiet: options.quiet, cluster: cluster, memory: memory)
  }

  /// - Returns: what a manifest says of it, if there is one.
  private func render(
    _ picture: PicturePlan.Picture, number: Int, _ session: RenderSession, _ maker: PictureMaker
  ) async throws -> RenderManifest.Picture? {
    let start = ContinuousClock.now
    var preview = previews.preview
    var latents: [SHA256.Digest] = []
    let made = try await maker.make(picture.settings, number: number, session) { step, run in
      if options.manifest != nil { latents.append(SHA256.digest(of: step.latents)) }
      guard let path = preview, (step.index + 1) % previews.previewInterval == 0 else { return }
      let png = try png(session.decodeFirstFrame(step.denoised, of: run))
      do throws(FileError) {
        try AtomicFile.write(png, to: path, ifExists: .overwrite, createFolders: true)
      } catch {
        // No reason to lose the picture.
        StandardError.write("clusca: \(error) There are no further previews of this picture.")
        preview = nil
      }
    }
    let paths = try write(made.pixels, picture)
    let report = PictureRunReport(
      path: paths[0], settings: picture.settings, summary: made.summary, denoising: made.denoising,
      total: start.duration(to: .now))
    if !options.quiet { StandardError.write(report.line) }
    if options.json {
      var json = report.json
      if paths.count > 1 { json["paths"] = .array(paths.map { .string($0) }) }
      try StandardOutput.write(JSONValue.object(json).text())
    } else {
      try StandardOutput.write(paths.joined(separator: "\n"))
    }
    guard options.manifest != nil else { return nil }
    return RenderManifest.Picture(
      file: paths[0].split(separator: "/").last.map(String.init) ?? paths[0], settings: picture.settings.json,
      hasMetadata: !options.noMetadata, latents: latents, pixels: SHA256.digest(of: made.pixels),
      png: try picture.settings.pngDigest(of: made.pixels, hasMetadata: !options.noMetadata))
  }

  /// The paths of the files, at least one.
  private func write(_ pixels: Tensor, _ picture: PicturePlan.Picture) throws -> [String] {
    guard case .picture(let path) = picture.destination else {
      return try FinishedVideo(
        frames: Picture.frames(pixels), rate: picture.settings.framesPerSecond,
        metadata: options.noMetadata ? nil : picture.settings.metadata
      ).write(to: picture.destination, force: options.force)
    }
    let texts = options.noMetadata ? [] : try picture.settings.metadata.texts()
    return [
      try FinishedPicture(png: png(pixels, texts: texts)).write(
        to: path, ifExists: options.force ? .overwrite : .number)
    ]
  }

  private func png(_ pixels: Tensor, texts: [PNGText] = []) throws -> [UInt8] {
    try PNG.encode(Picture(pixels: pixels), texts: texts)
  }
}
