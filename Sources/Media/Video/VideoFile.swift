public import Files

/// Videos in files, encoded by the program ffmpeg, which is not part of this one.
public enum VideoFile {
  /// The longest comment in bytes: it is handed over as an argument, and the system takes no longer ones than 128 KiB.
  public static let maximumCommentBytes = 100_000

  /// The ffmpeg that is used, the first in the folders of `PATH`; nil if there is none.
  public static var programPath: String? { FFmpeg.path }

  /// Writes frames of equal size and returns the path that they got, as `AtomicFile.write` does: there is the whole video
  /// or nothing.
  ///
  /// - Parameters:
  ///   - rate: frames a second.
  ///   - comment: a text in the file's metadata; nil for none. WebP has no place for it.
  /// - Throws: ``MediaError`` if ffmpeg is missing or fails, `FileError` if the file cannot be written, and
  ///   `CancellationError`.
  @discardableResult
  public static func write(
    _ frames: [Picture], rate: Double, as format: VideoFormat, comment: String? = nil, to path: String,
    ifExists: AtomicFile.ExistingFile = .number, createFolders: Bool = false
  ) throws -> String {
    let file = try AtomicFile(path, ifExists: ifExists, createFolders: createFolders)
    try encode(frames, rate: rate, as: format, comment: comment, into: file.temporaryPath)
    return try file.commit()
  }

  /// Finds out whether `write` could work, by writing two black frames and removing them, so that a missing encoder is
  /// noticed before hours of rendering and not behind them.
  public static func check(
    width: Int, height: Int, rate: Double, as format: VideoFormat, path: String, ifExists: AtomicFile.ExistingFile
  ) throws {
    let frame = try Picture(width: width, height: height, filledWith: Colour(red: 0, green: 0, blue: 0))
    let file = try AtomicFile(path, ifExists: ifExists, createFolders: true)
    try encode([frame, frame], rate: rate, as: format, comment: nil, into: file.temporaryPath)
  }

  private static func encode(
    _ frames: [Picture], rate: Double, as format: VideoFormat, comment: String?, into path: String
  ) throws {
    guard let first = frames.first, frames.allSatisfy({ $0.width == first.width && $0.height == first.height }) else {
      throw MediaError.unsuitablePicture("A video is made of frames of one size")
    }
    var arguments = [
      "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-f", "rawvideo", "-pixel_format", "rgb24", "-video_size",
      "\(first.width)x\(first.height)", "-framerate", "\(rate)", "-i", "pipe:0", "-an",
    ]
    arguments += format.arguments
    if let comment, format == .mp4, comment.utf8.count <= maximumCommentBytes, !comment.utf8.contains(0) {
      arguments += ["-metadata", "comment=\(comment)"]
    }
    let process = try FFmpeg(arguments + ["file:\(path)"])
    do {
      for frame in frames {
        try Task.checkCancellation()
        try process.write(frame.bytes)
      }
    } catch {
      process.stop()
      throw error
    }
    try process.finish()
  }
}
