import Glibc

/// Where a file is to go, looked at before anything is written.
struct AtomicFileTarget {
  let path: String
  let folder: String
  let ifExists: AtomicFile.ExistingFile

  init(_ path: String, ifExists: AtomicFile.ExistingFile, createFolders: Bool) throws(FileFailure) {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw .invalidPath }
    var path = path
    var status = stat()
    if lstat(path, &status) == 0 {
      if ifExists == .overwrite, status.st_mode & S_IFMT == S_IFLNK, let resolved = realpath(path, nil) {
        path = String(cString: resolved)
        free(resolved)
        guard lstat(path, &status) == 0 else { throw FileFailure(errno: errno, folder: Folder.of(path)) }
      }
      switch status.st_mode & S_IFMT {
      case S_IFREG, S_IFLNK: if ifExists == .refuse { throw .exists }
      case S_IFDIR: throw .isAFolder
      default: throw .notARegularFile
      }
    } else if errno != ENOENT {
      throw FileFailure(errno: errno, folder: Folder.of(path))
    } else if path.utf8.last == UInt8(ascii: "/") {
      throw .isAFolder
    }
    self.path = path
    self.folder = Folder.of(path)
    self.ifExists = ifExists
    if createFolders { try Folder.create(folder) }
  }

  /// Gives the temporary file its name, which is returned.
  func publish(_ temporary: TemporaryFile) throws(FileFailure) -> String {
    switch ifExists {
    case .overwrite:
      try temporary.replace(path)
      return path
    case .refuse:
      try temporary.take(path)
      return path
    case .number:
      for number in 0..<100_000 {
        let name = NumberedPath.path(path, number: number)
        do {
          try temporary.take(name)
          return name
        } catch FileFailure.exists {
          continue
        }
      }
      throw .exists
    }
  }
}
