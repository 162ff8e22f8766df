import Files
import Glibc

/// A folder of the system, which this process has for itself.
public final class FolderStorage: JournalStorage {
  public let path: String
  let lock: Int32
  /// Of the file that is written now.
  private var open: (name: String, descriptor: Int32)?

  private static let lockName = "lock"

  /// Takes hold of a folder, which is made with the permissions 0700 if there is none.
  ///
  /// - Throws: ``JournalError``; ``JournalError/locked(_:)`` while another process has it.
  public init(_ path: String) throws(JournalError) {
    do {
      try Folder.make(path, permissions: 0o700)
    } catch {
      throw .file(error)
    }
    let name = "\(path)/\(Self.lockName)"
    let descriptor = Glibc.open(name, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
    guard descriptor >= 0 else {
      throw .file(FileError(path: name, .writing, FileFailure(errno: errno, folder: path)))
    }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      close(descriptor)
      throw code == EWOULDBLOCK
        ? .locked(path) : .file(FileError(path: name, .writing, FileFailure(errno: code, folder: path)))
    }
    self.path = path
    lock = descriptor
  }

  deinit {
    if let open { close(open.descriptor) }
    // A child that another thread has just forked holds the file open until it begins its own program.
    flock(lock, LOCK_UN)
    close(lock)
  }

  private func failure() -> FileFailure { FileFailure(errno: errno, folder: path) }

  public func names() throws(FileFailure) -> [String] {
    do {
      return try Folder.names(in: path)
    } catch {
      throw error.failure
    }
  }

  public func read(_ name: String) throws(FileFailure) -> [UInt8] {
    do {
      return try InputFile.read("\(path)/\(name)", maximumBytes: Journal.maximumSegmentBytes)
    } catch {
      throw error.failure
    }
  }

  public func create(_ name: String, byteCount: Int) throws(FileFailure) {
    // Of a start that was cut off.
    unlink("\(path)/\(name)")
    let descriptor = try descriptor(name, O_CREAT | O_EXCL)
    var code = posix_fallocate(descriptor, 0, off_t(byteCount))
    while code == EINTR { code = posix_fallocate(descriptor, 0, off_t(byteCount)) }
    guard code == 0 else {
      unlink("\(path)/\(name)")
      throw FileFailure(errno: code, folder: path)
    }
  }

  public func write(_ bytes: [UInt8], to name: String, at offset: Int) throws(FileFailure) {
    let descriptor = try descriptor(name)
    var done = 0
    while done < bytes.count {
      let count = bytes.withUnsafeBytes {
        pwrite(descriptor, $0.baseAddress?.advanced(by: done), bytes.count - done, off_t(offset + done))
      }
      if count >= 0 {
        done += count
      } else if errno != EINTR {
        throw failure()
      }
    }
  }

  public func synchronise(_ name: String) throws(FileFailure) {
    let descriptor = try descriptor(name)
    guard !FaultPoint.fails("journal.sync") else { throw FileFailure(errno: EIO, folder: path) }
    guard fdatasync(descriptor) == 0 else { throw failure() }
  }

  public func rename(_ name: String, to newName: String) throws(FileFailure) {
    guard Glibc.rename("\(path)/\(name)", "\(path)/\(newName)") == 0 else { throw failure() }
    if let open, open.name == name { self.open = (newName, open.descriptor) }
    try Folder.synchronise(path)
  }

  public func remove(_ name: String) throws(FileFailure) {
    if let open, open.name == name {
      close(open.descriptor)
      self.open = nil
    }
    guard unlink("\(path)/\(name)") == 0 || errno == ENOENT else { throw failure() }
  }

  private func descriptor(_ name: String, _ flags: Int32 = 0) throws(FileFailure) -> Int32 {
    if let open, open.name == name { return open.descriptor }
    let descriptor = Glibc.open("\(path)/\(name)", O_RDWR | O_CLOEXEC | flags, 0o600)
    guard descriptor >= 0 else { throw failure() }
    if let open { close(open.descriptor) }
    open = (name, descriptor)
    return descriptor
  }
}
