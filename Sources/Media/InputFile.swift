import Glibc

/// Files that are read whole, such as pictures to compare or to take settings from.
public enum InputFile {
  /// The bytes of a file, or why it cannot be read. At most `maximumBytes` are taken, whatever the file claims to be.
  public static func read(_ path: String, maximumBytes: Int) throws(MediaError) -> [UInt8] {
    do {
      return try contents(path, maximumBytes: maximumBytes)
    } catch {
      throw .cannotRead(path: path, error)
    }
  }

  private static func contents(_ path: String, maximumBytes: Int) throws(FileFailure) -> [UInt8] {
    guard !path.isEmpty, !path.utf8.contains(0) else { throw .invalidPath }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      if errno == ENOENT { throw .noSuchFile }
      throw FileFailure(errno: errno, folder: Folder.of(path))
    }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw FileFailure(errno: errno, folder: Folder.of(path)) }
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
        throw FileFailure(errno: errno, folder: Folder.of(path))
      }
      guard bytes.count + count <= maximumBytes else { throw .largerThan(maximumBytes) }
      bytes.append(contentsOf: part[..<count])
    }
  }
}

extension PNG {
  /// The bytes of a PNG file, for `decode` and `texts`, within the limits' `maximumFileBytes`.
  public static func file(_ path: String, limits: PNGLimits = PNGLimits()) throws(MediaError) -> [UInt8] {
    try InputFile.read(path, maximumBytes: limits.maximumFileBytes)
  }
}
