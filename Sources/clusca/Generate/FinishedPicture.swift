import Files

/// A picture that took its time to make and should not be lost at the last moment.
struct FinishedPicture {
  let png: [UInt8]

  /// Writes it to `path` and returns the path that it got.
  ///
  /// - Throws: ``CommandFailure`` if it cannot be written there. It then says where under the system's temporary folder the
  ///   picture was saved instead, if it could be.
  func write(to path: String, ifExists: AtomicFile.ExistingFile) throws(CommandFailure) -> String {
    let failure: FileError
    do throws(FileError) {
      return try AtomicFile.write(png, to: path, ifExists: ifExists, createFolders: true)
    } catch {
      failure = error
    }
    var reason = failure.description
    if reason.hasSuffix(".") { reason.removeLast() }
    guard let rescue = rescue(path) else {
      throw CommandFailure(.output, "\(reason); it could not be saved in \(Self.temporaryFolder) either and is lost.")
    }
    throw CommandFailure(.output, "\(reason); the finished picture was saved as \(rescue) instead.")
  }

  /// Its name may be what the first place had against it, so there is another.
  private func rescue(_ path: String) -> String? {
    let name = path.split(separator: "/").last.map(String.init) ?? "clusca.png"
    for name in [name, "clusca.png"] {
      if let written = try? AtomicFile.write(png, to: "\(Self.temporaryFolder)/\(name)", ifExists: .number) {
        return written
      }
    }
    return nil
  }

  static var temporaryFolder: String {
    let folder = Environment.variables["TMPDIR"] ?? ""
    return folder.isEmpty ? "/tmp" : folder.count > 1 && folder.hasSuffix("/") ? String(folder.dropLast()) : folder
  }
}
