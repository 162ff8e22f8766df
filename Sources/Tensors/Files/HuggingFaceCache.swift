import Files
import Glibc

/// The folder in which Hugging Face's tools keep what they have downloaded; only read here, and never the network.
///
/// Its layout, as huggingface_hub documents it ("Understand caching"): `models--ORG--NAME/refs/REVISION` holds a commit,
/// and `models--ORG--NAME/snapshots/COMMIT` the files, as links to `../../blobs/…`.
public struct HuggingFaceCache: Sendable {
  public let folder: String

  /// - Parameter environment: the variables of the process. The first that is set and not empty decides: `HF_HUB_CACHE`,
  ///   `HUGGINGFACE_HUB_CACHE` (its old name), `HF_HOME` with `/hub`, `XDG_CACHE_HOME` with `/huggingface/hub`, `HOME` with
  ///   `/.cache/huggingface/hub`. A `~/` at the beginning stands for `HOME`.
  public init(environment: [String: String]) throws(HuggingFaceCacheError) {
    func value(_ name: String) -> String? {
      guard let value = environment[name], !value.isEmpty else { return nil }
      guard value == "~" || value.hasPrefix("~/"), let home = environment["HOME"], !home.isEmpty else { return value }
      return home + value.dropFirst()
    }
    if let path = value("HF_HUB_CACHE") ?? value("HUGGINGFACE_HUB_CACHE") {
      folder = path
    } else if let path = value("HF_HOME") {
      folder = "\(path)/hub"
    } else if let path = value("XDG_CACHE_HOME") {
      folder = "\(path)/huggingface/hub"
    } else if let path = value("HOME") {
      folder = "\(path)/.cache/huggingface/hub"
    } else {
      throw .noCacheFolder
    }
  }

  /// The folder with the files of `org/name` or `org/name@revision`.
  public func snapshotFolder(for repository: String) throws -> String {
    try snapshotFolder(for: HuggingFaceRepository(repository))
  }

  /// The folder with the files of `repository`. Some of them may not have been downloaded.
  ///
  /// - Throws: ``HuggingFaceCacheError``, also if a link in the folder leads out of the repository's part of the cache, and
  ///   ``FileError`` if something cannot be read.
  public func snapshotFolder(for repository: HuggingFaceRepository) throws -> String {
    let model = "\(folder)/models--\(repository.organisation)--\(repository.name)"
    guard Folder.isFolder(model) else { throw HuggingFaceCacheError.notDownloaded(repository, path: model) }
    let snapshot = "\(model)/snapshots/\(try commit(of: repository, in: model))"
    guard Folder.isFolder(snapshot) else { throw HuggingFaceCacheError.notDownloaded(repository, path: snapshot) }
    // The cache may itself stand behind links; only what is below the model's own folder is looked at.
    guard let modelPath = Folder.resolved(model), let snapshotPath = Folder.resolved(snapshot) else {
      throw FileError(path: snapshot, .reading, .noSuchFile)
    }
    guard Self.isPath(snapshotPath, in: modelPath) else {
      throw HuggingFaceCacheError.forbiddenLink(path: snapshot, reason: "it leads to \(snapshotPath.printable())")
    }
    try Self.checkLinks(in: snapshotPath, model: modelPath, depth: 0)
    return snapshot
  }

  private func commit(of repository: HuggingFaceRepository, in model: String) throws -> String {
    let revision = repository.revision ?? "main"
    if Self.isCommit(revision.utf8) { return revision }
    let path = "\(model)/refs/\(revision)"
    guard Folder.isRegularFile(path) else { throw HuggingFaceCacheError.notDownloaded(repository, path: path) }
    let file = try RegularFile(path: path)
    let content = try file.bytes(0..<min(file.byteCount, 64))
    let digits = content.prefix { $0 > 0x20 }
    let isAlone = content[digits.endIndex...].allSatisfy { $0 == 0x0A || $0 == 0x0D || $0 == 0x20 }
    guard Self.isCommit(digits), isAlone else {
      throw HuggingFaceCacheError.malformedReference(path: path)
    }
    return String(decoding: digits, as: UTF8.self)
  }

  private static func isCommit(_ text: some Collection<UInt8>) -> Bool {
    text.count == 40
      && text.allSatisfy { byte in
        (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
      }
  }

  /// Demands that every link below `folder` leads to a file below `model`. Both paths are free of links.
  private static func checkLinks(in folder: String, model: String, depth: Int) throws {
    guard depth < 16 else { throw FileError(path: folder, reason: "the folders are nested too deeply") }
    for name in try Folder.names(in: folder) {
      let path = "\(folder)/\(name)"
      switch Folder.kindOfEntry(path) {
      case S_IFDIR: try checkLinks(in: path, model: model, depth: depth + 1)
      case S_IFLNK:
        // A link to nothing is a file that has not been downloaded; opening it says so.
        guard let target = Folder.resolved(path) else { continue }
        guard isPath(target, in: model) else {
          throw HuggingFaceCacheError.forbiddenLink(
            path: path, reason: "it leads out of the repository's folder to \(target.printable())")
        }
        guard !Folder.isFolder(target) else {
          throw HuggingFaceCacheError.forbiddenLink(path: path, reason: "it leads to a folder")
        }
      default: break
      }
    }
  }

  private static func isPath(_ path: String, in folder: String) -> Bool {
    path.utf8.starts(with: "\(folder)/".utf8)
  }
}
