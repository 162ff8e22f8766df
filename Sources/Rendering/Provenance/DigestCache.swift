import Files
import StrictJSON
import Tensors

/// Digests that were computed before, in a small file: `$XDG_CACHE_HOME/clusca/digests.json`, or the same below
/// `~/.cache`.
///
/// It only saves time. A file that cannot be read is as good as none and is written anew; one that cannot be written is
/// left alone.
public struct DigestCache: Sendable {
  public let path: String

  private static let maximumBytes = 1 << 20
  /// The oldest are forgotten.
  private static let maximumEntries = 200

  public init(path: String) { self.path = path }

  /// - Parameter environment: the variables of the process.
  /// - Returns: nil if there is no place for caches.
  public init?(environment: [String: String]) {
    if let folder = environment["XDG_CACHE_HOME"], folder.hasPrefix("/") {
      path = "\(folder)/clusca/digests.json"
    } else if let home = environment["HOME"], !home.isEmpty {
      path = "\(home)/.cache/clusca/digests.json"
    } else {
      return nil
    }
  }

  /// The folder of packed weights, beside the file.
  public var packedFolder: String { "\(Folder.of(path))/packed" }

  /// The digest of these very files, if it is known.
  ///
  /// - Parameter kind: what of the files the digest is of.
  public subscript(kind: String, files: [FileIdentity]) -> SHA256.Digest? {
    let key = Self.key(kind, files)
    return entries.first { $0["of"] == key }?["sha256"]?.string.flatMap(SHA256.Digest.init)
  }

  public func remember(_ digest: SHA256.Digest, _ kind: String, _ files: [FileIdentity]) {
    let key = Self.key(kind, files)
    let paths = Self.paths(key)
    // What is known of the same places is out of date.
    let others = entries.filter { $0["of"].map(Self.paths) != paths }
    let entry: JSONValue = ["of": key, "sha256": .string(digest.description)]
    let json: JSONValue = ["digests": .array(Array(([entry] + others).prefix(Self.maximumEntries)))]
    _ = try? AtomicFile.write(json.text(pretty: true) + "\n", to: path, ifExists: .overwrite, createFolders: true)
  }

  private var entries: [JSONValue] {
    guard let bytes = try? RegularFile(path: path).contents(maximumBytes: Self.maximumBytes),
      let json = try? JSONValue(parsing: bytes)
    else { return [] }
    return json["digests"]?.array?.filter { $0.object != nil } ?? []
  }

  private static func key(_ kind: String, _ files: [FileIdentity]) -> JSONValue {
    [
      "kind": .string(kind),
      "files": .array(
        files.map { file in
          [
            "path": .string(file.path), "device": .string("\(file.device)"), "inode": .string("\(file.inode)"),
            "bytes": .integer(file.byteCount), "modified_ns": .integer(file.modified),
          ]
        }),
    ]
  }

  private static func paths(_ key: JSONValue) -> [JSONValue] {
    [key["kind"] ?? .null] + (key["files"]?.array?.map { $0["path"] ?? .null } ?? [])
  }
}
