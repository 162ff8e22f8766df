import Glibc

/// What tells whether a file is still the one that was looked at: place, size and time of the last change.
///
/// Who writes into a file without changing its time is not found out.
public struct FileIdentity: Sendable, Hashable {
  public let path: String
  public let device: UInt64
  public let inode: UInt64
  public let byteCount: Int
  /// Nanoseconds since 1970.
  public let modified: Int

  public init(path: String, device: UInt64, inode: UInt64, byteCount: Int, modified: Int) {
    self.path = path
    self.device = device
    self.inode = inode
    self.byteCount = byteCount
    self.modified = modified
  }

  /// Looks at the file that a path leads to.
  ///
  /// - Throws: `FileError` if there is none.
  public init(of path: String) throws(FileError) {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw FileError(path: path, .reading, .invalidPath) }
    var status = stat()
    guard stat(path, &status) == 0 else {
      throw FileError(path: path, .reading, FileFailure(errno: errno, reading: path))
    }
    self.init(
      path: path, device: UInt64(status.st_dev), inode: UInt64(status.st_ino), byteCount: Int(status.st_size),
      modified: Int(status.st_mtim.tv_sec) * 1_000_000_000 + Int(status.st_mtim.tv_nsec))
  }
}
