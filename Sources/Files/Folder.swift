import Glibc

/// Folders: looking into them here, making them beside this.
public enum Folder {
  /// The names in a folder, sorted, without `.` and `..`.
  public static func names(in path: String) throws(FileError) -> [String] {
    guard !path.utf8.contains(0) else { throw FileError(path: path, .reading, .invalidPath) }
    guard let stream = opendir(path) else {
      throw FileError(path: path, .reading, FileFailure(errno: errno, reading: path))
    }
    defer { closedir(stream) }
    var names: [String] = []
    while true {
      errno = 0
      guard let entry = readdir(stream) else {
        guard errno == 0 else { throw FileError(path: path, .reading, FileFailure(errno: errno, reading: path)) }
        return names.sorted()
      }
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { bytes in
        String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
      }
      if name != ".", name != ".." { names.append(name) }
    }
  }

  /// Whether `path` leads to a regular file, symbolic links followed.
  public static func isRegularFile(_ path: String) -> Bool { kind(path) == S_IFREG }

  /// Whether `path` leads to a folder, symbolic links followed.
  public static func isFolder(_ path: String) -> Bool { kind(path) == S_IFDIR }

  /// `S_IFDIR`, `S_IFLNK` and so on of the entry itself, or nil if there is none.
  public static func kindOfEntry(_ path: String) -> mode_t? {
    var status = stat()
    guard !path.utf8.contains(0), lstat(path, &status) == 0 else { return nil }
    return status.st_mode & S_IFMT
  }

  /// The path without links, `.` and `..`, or nil if it leads to nothing.
  public static func resolved(_ path: String) -> String? {
    guard !path.utf8.contains(0), let resolved = realpath(path, nil) else { return nil }
    defer { free(resolved) }
    return String(cString: resolved)
  }

  private static func kind(_ path: String) -> mode_t? {
    var status = stat()
    guard !path.utf8.contains(0), stat(path, &status) == 0 else { return nil }
    return status.st_mode & S_IFMT
  }
}
