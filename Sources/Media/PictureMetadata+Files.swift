import Files
import StrictJSON

extension PictureMetadata {
  /// Reads a file: an MP4 by the end of its name, whose comment is the JSON of clusca, otherwise a PNG.
  ///
  /// - Throws: `FileError` for a file that cannot be read, ``MediaError`` for one that is damaged.
  public init(path: String) throws {
    guard VideoFormat(path: path) == .mp4 else {
      try self.init(png: PNG.file(path))
      return
    }
    let file = try MappedFile.open(path)
    let comment = file.withBytes(0..<file.byteCount) { MP4Comment.text(in: $0) }
    // The comment of another program is no mistake.
    self.init(
      clusca: comment.flatMap { try? JSONValue(parsing: $0, limits: JSONLimits(maximumBytes: 1 << 20)) })
  }
}
