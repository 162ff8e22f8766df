import Glibc

/// A file of a random name that has not yet got its real one.
final class TemporaryFile {
  private let descriptor: Int32
  private let folder: String
  private(set) var path: String?
  private var isOpen = true

  /// Makes an empty file of the permissions that the user's mask leaves.
  init(in folder: String, permissions: UInt32 = 0o666) throws(FileFailure) {
    var random = SystemRandomNumberGenerator()
    while true {
      let name = ".clusca-" + String(random.next(), radix: 36) + ".tmp"
      let path = folder + "/" + name
      let descriptor = try TemporaryFileNames.shared.creating(path) {
        open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, permissions)
      }
      if descriptor >= 0 {
        self.descriptor = descriptor
        self.folder = folder
        self.path = path
        return
      }
      guard errno == EEXIST || errno == EINTR else { throw FileFailure(errno: errno, folder: folder) }
    }
  }

  /// Adds bytes at the end.
  func write(_ bytes: UnsafeRawBufferPointer) throws(FileFailure) {
    try TemporaryFile.write(bytes, to: descriptor, folder: folder)
  }

  /// Forces all to the disk and closes the file: a full disk, or one across a network, may only tell at the last of these.
  func finish() throws(FileFailure) {
    while fsync(descriptor) != 0 {
      guard errno == EINTR else { throw FileFailure(errno: errno, folder: folder) }
    }
    isOpen = false
    guard close(descriptor) == 0 || errno == EINTR else { throw FileFailure(errno: errno, folder: folder) }
  }

  /// Replaces what has the name `target`, if anything has.
  func replace(_ target: String) throws(FileFailure) {
    guard let path else { return }
    guard rename(path, target) == 0 else { throw FileFailure(errno: errno, folder: folder) }
    TemporaryFileNames.shared.forget(path)
    self.path = nil
  }

  /// Takes the name `target`, or throws `exists` if something has it.
  func take(_ target: String) throws(FileFailure) {
    guard let path else { return }
    if link(path, target) == 0 {
      discard()
      return
    }
    switch errno {
    case EPERM, EOPNOTSUPP, ENOSYS, EMLINK: try takeWithoutLink(target)
    default: throw FileFailure(errno: errno, folder: folder)
    }
  }

  /// For file systems without hard links (FAT): an empty file reserves the name and is replaced at once.
  func takeWithoutLink(_ target: String) throws(FileFailure) {
    let reserved = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard reserved >= 0 else { throw FileFailure(errno: errno, folder: folder) }
    close(reserved)
    do {
      try replace(target)
    } catch {
      unlink(target)
      throw error
    }
  }

  /// Closes and removes the temporary name; nothing once `replace` gave it away.
  func discard() {
    if isOpen { close(descriptor) }
    isOpen = false
    if let path {
      unlink(path)
      TemporaryFileNames.shared.forget(path)
    }
    path = nil
  }

  deinit { discard() }

  static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32, folder: String) throws(FileFailure) {
    var rest = bytes
    while !rest.isEmpty {
      let written = Glibc.write(descriptor, rest.baseAddress, rest.count)
      if written >= 0 {
        rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(written))
      } else if errno != EINTR {
        throw FileFailure(errno: errno, folder: folder)
      }
    }
  }
}
