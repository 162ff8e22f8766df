import Files

/// A folder as a journal sees it. The seam at which tests have a disk that fills, fails or forgets what was not forced to
/// it.
///
/// Errors are `FileFailure`s; of ``synchronise(_:)`` none may be retried: after a failure the kernel may have dropped what
/// it could not write and say that all is well the next time.
public protocol JournalStorage: AnyObject {
  /// Where it is, for people.
  var path: String { get }

  func names() throws(FileFailure) -> [String]
  func read(_ name: String) throws(FileFailure) -> [UInt8]
  /// Makes a file of zeros, for which the disk has room.
  func create(_ name: String, byteCount: Int) throws(FileFailure)
  /// Behind the end of the file it grows.
  func write(_ bytes: [UInt8], to name: String, at offset: Int) throws(FileFailure)
  /// Forces the file's contents to the disk.
  func synchronise(_ name: String) throws(FileFailure)
  /// Gives a file its name, which is forced to the disk; what had it goes.
  func rename(_ name: String, to newName: String) throws(FileFailure)
  func remove(_ name: String) throws(FileFailure)
}
