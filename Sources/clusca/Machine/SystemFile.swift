import Files
import Media

/// The small files of /proc and /sys.
enum SystemFile {
  /// The text of a file, or nil if there is none or it cannot be read: callers say what they do without it.
  static func text(_ path: String) -> String? {
    guard let bytes = try? InputFile.read(path, maximumBytes: 1 << 22) else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }
}
