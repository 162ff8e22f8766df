import Glibc

/// A regular file that is open for reading; closed when the value goes.
package struct RegularFile: ~Copyable {
  package let path: String
  private let descriptor: Int32
  /// The size when the file was opened.
  package let byteCount: Int

  package init(path: String) throws(FileError) {
    guard !path.utf8.contains(0) else { throw FileError(path: path, reason: "a path cannot hold a zero byte") }
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { throw FileError(path: path, failing: "cannot be opened") }
    do throws(FileError) {
      byteCount = try Self.size(of: descriptor, path: path)
    } catch {
      close(descriptor)
      throw error
    }
    self.path = path
    self.descriptor = descriptor
  }

  deinit { close(descriptor) }

  private static func size(of descriptor: Int32, path: String) throws(FileError) -> Int {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileError(path: path, failing: "cannot be examined") }
    guard status.st_mode & S_IFMT == S_IFREG else { throw FileError(path: path, reason: "is not a regular file") }
    guard status.st_size >= 0 else { throw FileError(path: path, reason: "has no size") }
    return Int(status.st_size)
  }

  /// The bytes of `range`, which must lie within the file.
  package func bytes(_ range: Range<Int>) throws(FileError) -> [UInt8] {
    guard range.lowerBound >= 0, range.upperBound <= byteCount else {
      throw FileError(path: path, reason: "has \(byteCount) bytes, but bytes \(range) were asked for")
    }
    var failure: FileError?
    let bytes = [UInt8](unsafeUninitializedCapacity: range.count) { buffer, count in
      while count < range.count {
        let offset = off_t(range.lowerBound + count)
        let result = pread(descriptor, buffer.baseAddress?.advanced(by: count), range.count - count, offset)
        if result > 0 {
          count += result
        } else if result == 0 {
          failure = FileError(path: path, reason: "became shorter while it was read")
          return
        } else if errno != EINTR {
          failure = FileError(path: path, failing: "cannot be read")
          return
        }
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Maps the whole file into memory.
  func map() throws(FileError) -> MappedFile {
    var address: UnsafeMutableRawPointer?
    if byteCount > 0 {
      address = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
      guard address != MAP_FAILED else { throw FileError(path: path, failing: "cannot be mapped into memory") }
    }
    // A copy of the descriptor stays with the mapping, so that the size can be asked for again.
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else {
      let error = FileError(path: path, failing: "cannot be kept open")
      if let address { munmap(address, byteCount) }
      throw error
    }
    let file = MappedFile(path: path, byteCount: byteCount, address: UnsafeRawPointer(address), descriptor: copy)
    try file.checkSize()
    return file
  }
}
