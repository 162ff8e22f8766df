import Glibc

/// A file that appears under its name only when it is complete.
///
/// It is written under a temporary name beside its own, brought to the disk and renamed; a reader sees the old file or
/// the new one, never a part. A value that goes without ``commit()`` leaves nothing behind.
struct AtomicFile: ~Copyable {
  private let path: String
  private let temporaryPath: String
  private let descriptor: Int32
  private var isCommitted = false

  init(path: String) throws(FileError) {
    guard !path.utf8.contains(0) else { throw FileError(path: path, reason: "a path cannot hold a zero byte") }
    let temporaryPath = "\(path).\(getpid())-\(String(UInt32.random(in: .min ... .max), radix: 16)).partial"
    let descriptor = open(temporaryPath, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw FileError(path: path, failing: "cannot be created") }
    self.path = path
    self.temporaryPath = temporaryPath
    self.descriptor = descriptor
  }

  deinit {
    close(descriptor)
    if !isCommitted { unlink(temporaryPath) }
  }

  func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var offset = 0
    while offset < bytes.count {
      let result = Glibc.write(descriptor, bytes.baseAddress?.advanced(by: offset), bytes.count - offset)
      if result >= 0 {
        offset += result
      } else if errno != EINTR {
        throw FileError(path: path, failing: "cannot be written")
      }
    }
  }

  func write(_ bytes: [UInt8]) throws(FileError) {
    let outcome = bytes.withUnsafeBytes { bytes in
      Result { () throws(FileError) in try write(bytes) }
    }
    try outcome.get()
  }

  /// Puts the file in its place.
  mutating func commit() throws(FileError) {
    guard fsync(descriptor) == 0, rename(temporaryPath, path) == 0 else {
      throw FileError(path: path, failing: "cannot be put in its place")
    }
    isCommitted = true
    // The new name is an entry of the folder, which has to reach the disk too. Some file systems do not offer it.
    let folder = path.lastIndex(of: "/").map { $0 == path.startIndex ? "/" : String(path[..<$0]) } ?? "."
    let folderDescriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    if folderDescriptor >= 0 {
      fsync(folderDescriptor)
      close(folderDescriptor)
    }
  }
}
