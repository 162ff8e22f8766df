import Files
import Media
import Tensors

/// A video that took its time to make and should not be lost at the last moment.
struct FinishedVideo {
  let frames: [Picture]
  /// Frames a second.
  let rate: Double
  /// Nil for a video that says nothing about itself.
  let metadata: PictureMetadata?

  /// Writes it and returns the paths that it got.
  ///
  /// - Throws: ``CommandFailure`` if it cannot be written there. It then says where under the system's temporary folder the
  ///   frames were saved instead, if they could be. `CancellationError`.
  func write(to destination: PictureDestination, force: Bool) throws -> [String] {
    let ifExists: AtomicFile.ExistingFile = force ? .overwrite : .number
    var reason: String
    do {
      switch destination {
      case .picture(let path): return try writeFrames([path], ifExists)
      case .frames: return try writeFrames(destination.paths, force ? .overwrite : .refuse)
      case .video(let path, let format):
        let comment = metadata?.clusca?.text()
        if format == .mp4, let comment, comment.utf8.count > VideoFile.maximumCommentBytes {
          StandardError.write("clusca: The settings are too long for an MP4 and are left out.")
        }
        return [
          try VideoFile.write(
            frames, rate: rate, as: format, comment: comment, to: path, ifExists: ifExists,
            createFolders: true)
        ]
      }
    } catch let error as MediaError {
      reason = error.description
    } catch let error as FileError {
      reason = error.description
    }
    if reason.hasSuffix(".") { reason.removeLast() }
    let folder = "\(FinishedPicture.temporaryFolder)/clusca-frames-\(UInt32.random(in: 0...UInt32.max))"
    let rescue = frames.indices.map { index in
      let number = String(index)
      return "\(folder)/" + String(repeating: "0", count: max(0, 4 - number.count)) + "\(number).png"
    }
    guard (try? writeFrames(rescue, .refuse)) != nil else {
      throw CommandFailure(
        .output, "\(reason); it could not be saved in \(FinishedPicture.temporaryFolder) either and is lost.")
    }
    throw CommandFailure(.output, "\(reason); the finished frames were saved in \(folder) instead.")
  }

  private func writeFrames(_ paths: [String], _ ifExists: AtomicFile.ExistingFile) throws -> [String] {
    let texts = try metadata?.texts() ?? []
    return try zip(paths, frames).map { path, frame in
      try Task.checkCancellation()
      return try AtomicFile.write(
        PNG.encode(frame, texts: texts), to: path, ifExists: ifExists, createFolders: true)
    }
  }
}
