import Glibc

/// What stands against reading or writing a file, in the words of `FileError`'s sentence.
public enum FileFailure: Error, Sendable, Hashable, CustomStringConvertible {
  case noSuchFile
  case noSuchFolder(String)
  case notAFolder(String)
  case isAFolder
  case notARegularFile
  case permissionDenied
  case readOnlyFileSystem
  case diskFull
  case nameTooLong
  case exists
  /// More bytes than the reader accepts.
  case largerThan(Int)
  /// An empty path, or one with a zero byte, which the system would cut there.
  case invalidPath
  /// The size is not what it was when the file was opened.
  case changed
  /// What is in it is wrong, in the words of whoever read it.
  case content(String)
  /// Any other `errno`.
  case system(Int32)

  public var description: String {
    switch self {
    case .noSuchFile: "there is no such file"
    case .noSuchFolder(let folder): "there is no folder \(folder.printable())"
    case .notAFolder(let path): "\(path.printable()) is not a folder"
    case .isAFolder: "it is a folder"
    case .notARegularFile: "it is a device, a pipe or a socket"
    case .permissionDenied: "permission is denied"
    case .readOnlyFileSystem: "the file system is read-only"
    case .diskFull: "the disk is full"
    case .nameTooLong: "the name is too long"
    case .exists: "a file of that name exists"
    case .largerThan(let bytes): "it is larger than \(bytes) bytes"
    case .invalidPath: "the path is empty or holds a zero byte"
    case .changed: "it became shorter while it was used"
    case .content(let reason): reason
    case .system(let code): String(cString: strerror(code))
    }
  }

  /// The meaning of `errno` for a file in `folder`. Over quota is as good as a full disk to whoever has to make room.
  public init(errno code: Int32, folder: String) {
    switch code {
    case ENOENT: self = .noSuchFolder(folder)
    case ENOTDIR: self = .notAFolder(folder)
    case EISDIR: self = .isAFolder
    case EACCES, EPERM: self = .permissionDenied
    case EROFS: self = .readOnlyFileSystem
    case ENOSPC, EDQUOT: self = .diskFull
    case ENAMETOOLONG: self = .nameTooLong
    case EEXIST: self = .exists
    default: self = .system(code)
    }
  }

  /// The meaning of `errno` for a file that exists or was thought to.
  init(errno code: Int32, reading path: String) {
    self = code == ENOENT ? .noSuchFile : FileFailure(errno: code, folder: Folder.of(path))
  }
}
