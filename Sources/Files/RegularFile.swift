import Glibc

/// A regular file that is open for reading; closed when the value goes.
public struct RegularFile: ~Copyable {
  public let path: String
  private let descriptor: Int32
  /// The size when the file was opened.
  public let byteCount: Int

  public init(path: String) throws(FileError) {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw FileError(path: path, .reading, .invalidPath) }
    // Without O_NONBLOCK, opening a named pipe would wait for a writer.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
    guard descriptor >= 0 else { throw Self.error(path) }
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
    guard fstat(descriptor, &status) == 0 else { throw error(path) }
    guard status.st_mode & S_IFMT != S_IFDIR else { throw FileError(path: path, .reading, .isAFolder) }
    guard status.st_mode & S_IFMT == S_IFREG else { throw FileError(path: path, .reading, .notARegularFile) }
    guard status.st_size >= 0 else { throw FileError(path: path, reason: "has no size") }
    return Int(status.st_size)
  }

  /// The bytes of `range`, which must lie within the file.
  public func bytes(_ range: Range<Int>) throws(FileError) -> [UInt8] {
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
          failure = FileError(path: path, .reading, .changed)
          return
        } else if errno != EINTR {
          failure = Self.error(path)
          return
        }
      }
    }
    if let failure { throw failure }
    return bytes
  }

  /// All bytes, if there are at most `maximumBytes`.
  public func contents(maximumBytes: Int) throws(FileError) -> [UInt8] {
    guard byteCount <= maximumBytes else { throw FileError(path: path, .reading, .largerThan(maximumBytes)) }
    return try bytes(0..<byteCount)
  }

  private static func error(_ path: String) -> FileError {
    FileError(path: path, .reading, FileFailure(errno: errno, reading: path))
  }

  /// Maps the whole file into memory.
  public func map() throws(FileError) -> MappedFile {
    var address: UnsafeMutableRawPointer?
    if byteCount > 0 {
      address = mmap(nil, byteCount, PROT_READ, MAP_PRIVATE, descriptor, 0)
      guard address != MAP_FAILED else { throw Self.error(path) }
    }
    // A copy of the descriptor stays with the mapping, so that the size can be asked for again.
    let copy = fcntl(descriptor, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else {
      let error = Self.error(path)
      if let address { munmap(address, byteCount) }
      throw error
    }
    let file = MappedFile(path: path, byteCount: byteCount, address: UnsafeRawPointer(address), descriptor: copy)
    try file.checkSize()
    return file
  }
}
