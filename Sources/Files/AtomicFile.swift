/// Files that are there whole or not at all.
///
/// The bytes go to a temporary file in the same folder, are forced to the disk, and only then get their name, by
/// `rename` when an existing file may be replaced, otherwise by `link`, which fails if the name is taken: there is no
/// moment between looking and writing in which another process could lose a picture. A failure removes the temporary
/// file, and so does a value that goes without `commit()`; a process that is killed may leave one behind,
/// `.clusca-….tmp`.
public struct AtomicFile: ~Copyable {
  /// What happens when there is a file of the given name.
  public enum ExistingFile: Sendable {
    /// It is replaced; if it is a symbolic link, the file it leads to is.
    case overwrite
    /// Nothing is written and `FileFailure.exists` is thrown.
    case refuse
    /// The next free name of `x.png`, `x-1.png`, `x-2.png`, … is taken.
    case number
  }

  private let path: String
  private let target: AtomicFileTarget
  private let temporary: TemporaryFile

  /// Begins a file that is written piece by piece; see `write(_:to:ifExists:createFolders:)` for the rest.
  ///
  /// - Parameter permissions: those of the file from its first moment on, less what the user's mask takes away. A secret
  ///   needs 0o600.
  public init(
    _ path: String, ifExists: ExistingFile = .number, createFolders: Bool = false, permissions: UInt32 = 0o666
  ) throws(FileError) {
    (target, temporary) = try Self.begin(
      path, ifExists: ifExists, createFolders: createFolders, permissions: permissions)
    self.path = path
  }

  private static func begin(
    _ path: String, ifExists: ExistingFile, createFolders: Bool, permissions: UInt32
  ) throws(FileError) -> (AtomicFileTarget, TemporaryFile) {
    do throws(FileFailure) {
      let target = try AtomicFileTarget(path, ifExists: ifExists, createFolders: createFolders)
      return (target, try TemporaryFile(in: target.folder, permissions: permissions))
    } catch {
      throw FileError(path: path, .writing, error)
    }
  }

  deinit { temporary.discard() }

  /// Where the bytes are until `commit()`, for another program that writes them; it must not replace the file by another.
  public var temporaryPath: String { temporary.path ?? "" }

  /// Adds bytes at the end.
  public func write(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    do throws(FileFailure) {
      try temporary.write(bytes)
    } catch {
      throw FileError(path: path, .writing, error)
    }
  }

  /// Adds bytes at the end.
  public func write(_ bytes: [UInt8]) throws(FileError) {
    let outcome = bytes.withUnsafeBytes { bytes in Result { () throws(FileError) in try write(bytes) } }
    try outcome.get()
  }

  /// Puts the file in its place and returns the path it got, which differs from the one given only by a number.
  ///
  /// The folder is synchronised as well, so a picture that was reported survives a loss of power.
  @discardableResult
  public consuming func commit() throws(FileError) -> String {
    do throws(FileFailure) {
      FaultPoint.reach("file.sync.before")
      try temporary.finish()
      FaultPoint.reach("file.rename.before")
      let name = try target.publish(temporary)
      FaultPoint.reach("file.rename.after")
      try Folder.synchronise(target.folder)
      FaultPoint.reach("file.done")
      return name
    } catch {
      throw FileError(path: path, .writing, error)
    }
  }

  /// Writes `bytes` and returns the path they got, which differs from `path` only by a number.
  ///
  /// Missing folders are made when `createFolders` is true, as users of mflux expect of the place for their pictures.
  /// Devices and pipes are refused: a rename would put a file in the place of `/dev/null`.
  @discardableResult
  public static func write(
    _ bytes: [UInt8], to path: String, ifExists: ExistingFile = .number, createFolders: Bool = false
  ) throws(FileError) -> String {
    let file = try AtomicFile(path, ifExists: ifExists, createFolders: createFolders)
    try file.write(bytes)
    return try file.commit()
  }

  /// Writes text as UTF-8; see the other `write`.
  @discardableResult
  public static func write(
    _ text: String, to path: String, ifExists: ExistingFile = .number, createFolders: Bool = false
  ) throws(FileError) -> String {
    try write(Array(text.utf8), to: path, ifExists: ifExists, createFolders: createFolders)
  }

  /// Finds out whether `write` could work, by making and removing a temporary file, so that a typing error in a path
  /// is reported before an hour of rendering and not behind it.
  public static func check(
    _ path: String, ifExists: ExistingFile = .number, createFolders: Bool = false
  ) throws(FileError) {
    _ = try AtomicFile(path, ifExists: ifExists, createFolders: createFolders)
  }

  /// Removes the temporary files of all writers and lets nobody begin a new one: for a process that ends now, in the
  /// middle of its work.
  public static func abandonAll() { TemporaryFileNames.shared.removeAll() }
}
