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

  /// So many pictures' prompts are encoded together, before the encoders give their memory to the transformer.
  private static let picturesPerSession = 128

  func run() async throws {
    if !options.quiet {
      for note in plan.notes { StandardError.write("clusca: \(note)") }
      if !plan.donePaths.isEmpty {
        StandardError.write("clusca: \(plan.donePaths.count) pictures are there already and are not rendered again.")
      }
    }
    try maker.checkMemory(plan.pictures.map(\.settings))
    var number = 0
    for start in stride(from: 0, to: plan.pictures.count, by: Self.picturesPerSession) {
      let group = plan.pictures[start..<min(start + Self.picturesPerSession, plan.pictures.count)]
      let session = try await maker.session(group.map(\.settings))
      for picture in group {
        number += 1
        try await render(picture, number: number, session)
      }
    }
  }

  private var maker: PictureMaker {
    PictureMaker(model: model, count: plan.pictures.count, isQuiet: options.quiet)
  }

  private func render(_ picture: PicturePlan.Picture, number: Int, _ session: RenderSession) async throws {
    let start = ContinuousClock.now
    var preview = options.preview
    let made = try await maker.make(picture.settings, number: number, session) { step, run in
      guard let path = preview, (step.index + 1) % options.previewInterval == 0 else { return }
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
    guard options.json else { return try StandardOutput.write(paths.joined(separator: "\n")) }
    var json = report.json
    if paths.count > 1 { json["paths"] = .array(paths.map { .string($0) }) }
    try StandardOutput.write(JSONValue.object(json).text())
  }

  /// The paths of the files, at least one.
  private func write(_ pixels: Tensor, _ picture: PicturePlan.Picture) throws -> [String] {
    guard case .picture(let path) = picture.destination else {
      return try FinishedVideo(
        frames: Picture.frames(pixels), settings: picture.settings, hasMetadata: !options.noMetadata
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
