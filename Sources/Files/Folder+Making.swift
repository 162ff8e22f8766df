import Glibc

extension Folder {
  /// The folder of a path, `.` for a bare name.
  public static func of(_ path: String) -> String {
    guard let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Makes a folder with these permissions, less what the user's mask takes away; those above it that are missing get the
  /// usual ones. A folder that is there stays as it is.
  ///
  /// - Throws: `FileError` if it cannot be made or is something else.
  public static func make(_ folder: String, permissions: UInt32) throws(FileError) {
    guard !folder.isEmpty, !folder.utf8.contains(0) else { throw FileError(path: folder, .writing, .invalidPath) }
    if isFolder(folder) { return }
    do throws(FileFailure) {
      try create(Folder.of(folder))
      guard mkdir(folder, mode_t(permissions)) == 0 || errno == EEXIST && isFolder(folder) else {
        throw errno == EEXIST ? .notAFolder(folder) : FileFailure(errno: errno, folder: Folder.of(folder))
      }
      try synchronise(Folder.of(folder))
    } catch {
      throw FileError(path: folder, .writing, error)
    }
  }

  /// Makes the folder and those above it that are missing.
  static func create(_ folder: String) throws(FileFailure) {
    // Iterates, because a path from outside may have thousands of parts.
    var missing: [String] = []
    var next = folder
    var status = stat()
    while stat(next, &status) != 0 {
      guard errno == ENOENT else { throw FileFailure(errno: errno, folder: next) }
      missing.append(next)
      let above = Folder.of(next)
      guard above != next else { break }
      next = above
    }
    if missing.isEmpty {
      guard status.st_mode & S_IFMT == S_IFDIR else { throw .notAFolder(folder) }
    }
    for path in missing.reversed() {
      // Another process may have been faster; if it made a file, the next step says so.
      guard mkdir(path, 0o777) == 0 || errno == EEXIST else { throw FileFailure(errno: errno, folder: Folder.of(path)) }
      try synchronise(Folder.of(path))
    }
  }

  /// Forces the names in a folder to the disk. Where that is not possible (a folder that may be written but not read, a
  /// file system that does not know it) the names are as safe as the system makes them.
  public static func synchronise(_ folder: String) throws(FileFailure) {
    let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == EACCES { return }
      throw FileFailure(errno: errno, folder: folder)
    }
    defer { close(descriptor) }
    while fsync(descriptor) != 0 {
      if errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP { return }
      guard errno == EINTR else { throw FileFailure(errno: errno, folder: folder) }
    }
  }
}
