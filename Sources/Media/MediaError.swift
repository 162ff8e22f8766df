/// Why a picture or its text could not be read or written. The description is one sentence for the user.
public enum MediaError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A size, a part of a picture or a set of pictures that does not fit together.
  case unsuitablePicture(String)
  /// Bytes that are no PNG, or a damaged one, or one beyond the limits.
  case unreadablePNG(String)
  /// The PNG library refused to write.
  case unwritablePNG(String)
  /// Text, or a setting, that a PNG cannot carry.
  case unsuitableText(String)
  /// A program that videos are encoded with and that is not there.
  case missingProgram(String)
  /// A video that its encoder did not make.
  case unwritableVideo(String)
  /// An output pattern such as `%x`.
  case unsuitablePattern(pattern: String, reason: String)

  public var description: String {
    switch self {
    case .unsuitablePicture(let reason): "\(reason.withControlsEscaped())."
    case .unreadablePNG(let reason): "The PNG cannot be read: \(reason.withControlsEscaped())."
    case .unwritablePNG(let reason): "The PNG cannot be written: \(reason.withControlsEscaped())."
    case .unsuitableText(let reason): "\(reason.withControlsEscaped())."
    case .missingProgram(let name):
      "The program \(name), which MP4 and animated WebP are written with, was not found in PATH."
    case .unwritableVideo(let reason): "The video cannot be written: \(reason.withControlsEscaped())."
    case .unsuitablePattern(let pattern, let reason):
      "The output pattern \"\(pattern.withControlsEscaped())\" cannot be used: \(reason.withControlsEscaped())."
    }
  }
}
