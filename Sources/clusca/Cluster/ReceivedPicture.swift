import Files
import Media
import Rendering
import StrictJSON
import Tensors

/// A picture from a coordinator, or the sheet of a video's frames, on its way to the files that `generate` would write.
struct ReceivedPicture {
  private let png: [UInt8]
  private let frames: Int
  private let width: Int
  private let height: Int
  private let rate: Double

  /// - Parameter settings: as the coordinator's report has them.
  /// - Throws: ``CommandFailure`` for settings of no picture.
  init(png: [UInt8], settings: JSONValue) throws {
    guard let width = settings["width"]?.int, let height = settings["height"]?.int, width > 0, height > 0 else {
      throw CommandFailure(.failure, "The coordinator does not say how large the picture is.")
    }
    (self.png, self.width, self.height) = (png, width, height)
    frames = max(1, settings["frames"]?.int ?? 1)
    rate = settings["fps"]?.double ?? 1
  }

  /// - Returns: the paths of the files, at least one.
  /// - Throws: ``CommandFailure`` if it cannot be written there; see ``FinishedPicture`` and ``FinishedVideo``.
  func write(to destination: PictureDestination, _ options: OutputOptions) throws -> [String] {
    if case .picture(let path) = destination {
      let bytes = options.noMetadata ? try PNG.encode(PNG.decode(png)) : png
      return [try FinishedPicture(png: bytes).write(to: path, ifExists: options.force ? .overwrite : .number)]
    }
    return try FinishedVideo(
      frames: pictures(), rate: rate, metadata: options.noMetadata ? nil : PictureMetadata(png: png)
    ).write(to: destination, force: options.force)
  }

  private func pictures() throws -> [Picture] {
    try FrameSheet(frames: frames, width: width, height: height).frames(of: PNG.decode(png))
  }

  /// See ``PictureSettings/pngDigest(of:hasMetadata:)``.
  func digestWithoutMetadata() throws -> SHA256.Digest {
    RenderManifest.Picture.pngDigest(try pictures().map { SHA256.digest(of: try PNG.encode($0)) })
  }
}
