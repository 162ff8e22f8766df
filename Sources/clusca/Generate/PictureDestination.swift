import Files
import Glibc
import Media
import Tensors

/// What becomes of a picture or video: one file, or a file for each frame.
enum PictureDestination: Equatable, Sendable {
  case picture(path: String)
  case video(path: String, VideoFormat)
  /// So many, numbered from 0.
  case frames(OutputPattern, seed: UInt64, count: Int)

  /// - Parameters:
  ///   - pattern: where the user wants it; the end of its name decides.
  ///   - frames: how many it has.
  ///   - index: of the picture in its run. In the names of frames the placeholder stands for the number of the frame.
  /// - Throws: ``CommandFailure`` if the name does not fit the number of frames.
  init(_ pattern: OutputPattern, frames: Int, index: Int, seed: UInt64) throws {
    let name = pattern.pattern
    if let format = VideoFormat(path: name) {
      guard frames > 1 else {
        throw CommandFailure(
          .usage,
          "--output \(name) is the name of a video, but a picture of one frame is a PNG: give a name that ends in .png."
        )
      }
      self = .video(path: pattern.path(index: index, seed: seed), format)
    } else if frames == 1 {
      self = .picture(path: pattern.path(index: index, seed: seed))
    } else if name.lowercased().hasSuffix(".png"), pattern.hasIndex {
      self = .frames(pattern, seed: seed, count: frames)
    } else {
      throw CommandFailure(
        .usage,
        "--output \(name) does not say how to write \(frames) frames: give a name that ends in .mp4 or .webp, or one for "
          + "numbered frames, such as frame-%04d.png.")
    }
  }

  /// The name for a video or picture that the user gives none.
  static func defaultPattern(frames: Int) -> String { frames > 1 ? "clusca.mp4" : "clusca.png" }

  /// The file, or that of the first frame.
  var path: String {
    switch self {
    case .picture(let path), .video(let path, _): path
    case .frames(let pattern, let seed, _): pattern.path(index: 0, seed: seed)
    }
  }

  /// The file that is written last: where it is there, all are.
  var lastPath: String {
    guard case .frames(let pattern, let seed, let count) = self else { return path }
    return pattern.path(index: count - 1, seed: seed)
  }

  /// All of its files.
  var paths: [String] {
    guard case .frames(let pattern, let seed, let count) = self else { return [path] }
    return (0..<count).map { pattern.path(index: $0, seed: seed) }
  }

  /// The same with another name for its one file; frames keep theirs.
  func renamed(_ path: String) -> PictureDestination {
    switch self {
    case .picture: .picture(path: path)
    case .video(_, let format): .video(path: path, format)
    case .frames: self
    }
  }

  /// Finds out, before anything is rendered, whether it can be written.
  ///
  /// - Parameters:
  ///   - width: of the picture or a frame, in pixels, as is the height.
  ///   - rate: frames a second.
  /// - Throws: ``CommandFailure`` for names of frames that are taken and for a video that cannot be encoded.
  func check(width: Int, height: Int, rate: Double, force: Bool) throws {
    switch self {
    case .picture: break
    case .frames:
      // Numbers at the names of some frames would tear the video apart.
      if !force, let taken = paths.first(where: { access($0, F_OK) == 0 }) {
        throw CommandFailure(.output, "\(taken) exists; give another --output, or --force to replace it.")
      }
    case .video(let path, let format):
      do {
        try VideoFile.check(
          width: width, height: height, rate: rate, as: format, path: path, ifExists: force ? .overwrite : .number)
      } catch let error as MediaError {
        throw CommandFailure(
          .output, "\(error) Frames can be written without it: --output frame-%04d.png writes each as a PNG.")
      }
    }
  }
}
