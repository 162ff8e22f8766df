/// Files that are there whole or not at all.
///
/// The bytes go to a temporary file in the same folder, are forced to the disk, and only then get their name, by
/// `rename` when an existing file may be replaced, otherwise by `link`, which fails if the name is taken: there is no
/// moment between looking and writing in which another process could lose a picture. A failure removes the temporary
/// file; a process that is killed may leave one behind, `.clusca-….tmp`.
public enum AtomicFile {
  /// What happens when there is a file of the given name.
  public enum ExistingFile: Sendable {
    /// It is replaced; if it is a symbolic link, the file it leads to is.
    case overwrite
    /// Nothing is written and `FileFailure.exists` is thrown.
    case refuse
    /// The next free name of `x.png`, `x-1.png`, `x-2.png`, … is taken.
    case number
  }

  /// Writes `bytes` and returns the path they got, which differs from `path` only by a number.
  ///
  /// Missing folders are made when `createFolders` is true, as users of mflux expect of the place for their pictures.
  /// The folder is synchronised as well, so a picture that was reported survives a loss of power. Devices and pipes are
  /// refused: a rename would put a file in the place of `/dev/null`.
  @discardableResult
  public static func write(
    _ bytes: [UInt8], to path: String, ifExists: ExistingFile = .number, createFolders: Bool = false
  ) throws(MediaError) -> String {
    do {
      let target = try AtomicFileTarget(path, ifExists: ifExists, createFolders: createFolders)
      let temporary = try TemporaryFile(in: target.folder)
      defer { temporary.discard() }
      try temporary.fill(bytes)
      let name = try target.publish(temporary)
      try Folder.synchronise(target.folder)
      return name
    } catch {
      throw .cannotWrite(path: path, error)
    }
  }

  /// Writes text as UTF-8; see the other `write`.
  @discardableResult
  public static func write(
    _ text: String, to path: String, ifExists: ExistingFile = .number, createFolders: Bool = false
  ) throws(MediaError) -> String {
    try write(Array(text.utf8), to: path, ifExists: ifExists, createFolders: createFolders)
  }

  /// Finds out whether `write` could work, by making and removing a temporary file, so that a typing error in a path
  /// is reported before an hour of rendering and not behind it.
  public static func check(
    _ path: String, ifExists: ExistingFile = .number, createFolders: Bool = false
  ) throws(MediaError) {
    do {
      let target = try AtomicFileTarget(path, ifExists: ifExists, createFolders: createFolders)
      try TemporaryFile(in: target.folder).discard()
    } catch {
      throw .cannotWrite(path: path, error)
    }
  }

  /// Removes the temporary files of all writers and lets nobody begin a new one: for a process that ends now, in the
  /// middle of its work.
  public static func abandonAll() { TemporaryFileNames.shared.removeAll() }
}
