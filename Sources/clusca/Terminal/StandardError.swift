import Glibc
import Synchronization

/// The standard error: messages, and one line of progress below them. All that goes there passes through here, so that
/// a message never lands behind a half of the progress line.
enum StandardError {
  /// The number of columns that the progress line covers now.
  private static let covered = Mutex<Int>(0)

  /// Whether a person looks at it who can see a line change.
  static let isTerminal: Bool = {
    guard isatty(STDERR_FILENO) == 1, let type = getenv("TERM") else { return false }
    let name = String(cString: type)
    return !name.isEmpty && name != "dumb"
  }()

  /// The width of the terminal in columns. Asked for at each use, so that a window may change its size at any time
  /// without a handler for SIGWINCH.
  static var columns: Int {
    var size = winsize()
    guard ioctl(STDERR_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0 else { return 80 }
    return Int(size.ws_col)
  }

  /// Whether characters beyond ASCII are shown, by the locale's name.
  static let showsUnicode: Bool = {
    for variable in ["LC_ALL", "LC_CTYPE", "LANG"] {
      guard let value = getenv(variable), value.pointee != 0 else { continue }
      let name = String(cString: value).lowercased()
      return name.contains("utf-8") || name.contains("utf8")
    }
    return false
  }()

  /// Writes a line in the place of the progress line, which comes back with its next change.
  static func write(_ line: String) {
    covered.withLock { covered in
      FileDescriptorText.write(clearing(covered) + line + "\n", to: STDERR_FILENO)
      covered = 0
    }
  }

  /// Shows a line of `columns` columns in the place of the progress line before it.
  static func show(progress line: String, columns: Int) {
    covered.withLock { covered in
      let rest = String(repeating: " ", count: max(0, covered - columns))
      FileDescriptorText.write("\r" + line + rest, to: STDERR_FILENO)
      covered = columns
    }
  }

  /// Takes the progress line away.
  static func clearProgress() {
    covered.withLock { covered in
      FileDescriptorText.write(clearing(covered), to: STDERR_FILENO)
      covered = 0
    }
  }

  /// The same for a process that ends now: another thread may be in the middle of a write that never returns.
  static func clearProgressUnlessBusy() {
    _ = covered.withLockIfAvailable { covered in
      FileDescriptorText.write(clearing(covered), to: STDERR_FILENO)
      covered = 0
    }
  }

  private static func clearing(_ columns: Int) -> String {
    columns == 0 ? "" : "\r" + String(repeating: " ", count: columns) + "\r"
  }
}
