import Glibc

/// Files that are read whole and need not be regular: pipes and devices are read as well, up to a limit. What comes with
/// a checkpoint is opened as a `RegularFile`, which never waits.
public enum InputFile {
  /// The bytes of a file, or why it cannot be read. At most `maximumBytes` are taken, whatever the file claims to be.
  public static func read(_ path: String, maximumBytes: Int) throws(FileError) -> [UInt8] {
    do {
      return try contents(path, maximumBytes: maximumBytes)
    } catch {
      throw FileError(path: path, .reading, error)
    }
  }

  private static func contents(_ path: String, maximumBytes: Int) throws(FileFailure) -> [UInt8] {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw .invalidPath }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw FileFailure(errno: errno, reading: path) }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileFailure(errno: errno, reading: path) }
    guard status.st_mode & S_IFMT != S_IFDIR else { throw .isAFolder }
    guard Int(status.st_size) <= maximumBytes else { throw .largerThan(maximumBytes) }

    var bytes: [UInt8] = []
    bytes.reserveCapacity(Int(status.st_size))
    var part = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = part.withUnsafeMutableBytes { Glibc.read(descriptor, $0.baseAddress, $0.count) }
      if count == 0 { return bytes }
      guard count > 0 else {
        if errno == EINTR { continue }
        throw FileFailure(errno: errno, reading: path)
      }
      guard bytes.count + count <= maximumBytes else { throw .largerThan(maximumBytes) }
      bytes.append(contentsOf: part[..<count])
    }
  }
}
