import Glibc

/// A regular file mapped into memory for reading; unmapped when the last reference to it goes.
///
/// Mapping reads nothing: the kernel brings pages in when they are touched and may drop them again, so a checkpoint larger
/// than the memory can be opened. The mapping is private and read-only, and its descriptor is closed on exec.
///
/// - Warning: If someone else makes the file shorter, touching the pages behind its new end ends the process with SIGBUS;
///   no check can rule that out. ``checkSize()`` catches the case where it has already happened. Map only files that
///   nobody writes to: downloads and conversions write elsewhere and rename.
public final class MappedFile: Sendable {
  public let path: String
  /// The size of the file when it was opened; 0 for an empty file, of which nothing is mapped.
  public let byteCount: Int
  private nonisolated(unsafe) let address: UnsafeRawPointer?
  private let descriptor: Int32

  /// What the kernel is told about the use of a range.
  public enum Advice: Sendable {
    /// The range will be read soon: begin to bring it in.
    case willNeed
    /// The range will be read once from its beginning to its end: read ahead, and do not keep what was read.
    case sequential
    /// The range has been read and is not needed for a while: its pages no longer count as this process's memory.
    /// Touching them later is allowed and brings them in again.
    case done
    /// As ``done``, and the kernel drops what no other process has mapped, so that it does not push out anything else.
    case dropped
  }

  /// Opens and maps the file at `path`.
  public static func open(_ path: String) throws(FileError) -> MappedFile {
    try RegularFile(path: path).map()
  }

  /// Takes over the mapping and the descriptor.
  init(path: String, byteCount: Int, address: UnsafeRawPointer?, descriptor: Int32) {
    self.path = path
    self.byteCount = byteCount
    self.address = address
    self.descriptor = descriptor
  }

  deinit {
    if let address { munmap(UnsafeMutableRawPointer(mutating: address), byteCount) }
    close(descriptor)
  }

  /// Throws if the file is shorter now than when it was opened.
  public func checkSize() throws(FileError) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else {
      throw FileError(path: path, .reading, FileFailure(errno: errno, reading: path))
    }
    guard Int(status.st_size) >= byteCount else {
      throw FileError(path: path, reason: "had \(byteCount) bytes when it was opened and has \(status.st_size) now")
    }
  }

  /// Calls `body` with the bytes of `range`, which must lie within the file. The pointer is good only during the call.
  public func withBytes<Value, Failure: Error>(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Value
  ) throws(Failure) -> Value {
    precondition(range.lowerBound >= 0 && range.upperBound <= byteCount, "the range reaches beyond the file")
    return try body(UnsafeRawBufferPointer(start: address.map { $0 + range.lowerBound }, count: range.count))
  }

  /// Tells the kernel how `range` will be used. Only a hint: failures are of no consequence and not reported.
  public func advise(_ advice: Advice, _ range: Range<Int>) {
    let page = Int(getpagesize())
    let range = range.clamped(to: 0..<byteCount)
    // What is done with is rounded inwards, since its neighbours may still be in use; the rest outwards.
    let inwards = advice == .done || advice == .dropped
    let lower = (range.lowerBound + (inwards ? page - 1 : 0)) / page * page
    let upper = inwards && range.upperBound < byteCount ? range.upperBound / page * page : range.upperBound
    guard let address, lower < upper else { return }
    let flag =
      switch advice {
      case .willNeed: MADV_WILLNEED
      case .sequential: MADV_SEQUENTIAL
      case .done, .dropped: MADV_DONTNEED
      }
    madvise(UnsafeMutableRawPointer(mutating: address + lower), upper - lower, Int32(flag))
    // Only pages that nobody has mapped are dropped, so it comes second.
    if advice == .dropped { posix_fadvise(descriptor, off_t(lower), off_t(upper - lower), POSIX_FADV_DONTNEED) }
  }
}
