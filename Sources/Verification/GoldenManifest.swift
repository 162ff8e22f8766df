import Files
import StrictJSON
import Tensors

/// The reference cases below a root folder: `out/manifest.json` and the files it names.
public struct GoldenManifest: Sendable {
  /// The folder that files and checkpoints are named relative to.
  public let root: String
  public let cases: [GoldenCase]

  /// Reads `ROOT/out/manifest.json`.
  ///
  /// - Throws: `FileError`, one sentence that names the file and what is wrong with it.
  public init(root: String) throws {
    let root = root.count > 1 && root.hasSuffix("/") ? String(root.dropLast()) : root
    let manifest = try PartConfiguration(path: "\(root)/out/manifest.json")
    guard let entries = manifest.json["cases"]?.array else { throw manifest.error("cases", "is missing or no list") }
    self.root = root
    cases = try entries.enumerated().map { index, entry in
      guard let golden = GoldenCase(entry, root: root) else {
        throw manifest.error("cases", "has an entry, number \(index + 1), that is not name, kind, file and tolerance")
      }
      return golden
    }
    let names = cases.map(\.name)
    guard Set(names).count == names.count else { throw manifest.error("cases", "has a name twice") }
  }
}
