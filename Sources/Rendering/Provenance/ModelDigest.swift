import Files
import StrictJSON
import Tensors

/// Digests of checkpoints: equal for equal models, wherever they lie and however their tensors are spread over files.
///
/// A part's digest is the SHA-256 of its settings, as JSON with sorted keys and without those that say where it came from,
/// and of all tensors in the order of their names: name, type, shape and the SHA-256 of the bytes.
public enum ModelDigest {
  /// The digest of the transformer, which the workers of a cluster must agree on.
  ///
  /// - Parameters:
  ///   - path: a folder in the layout of diffusers, or a single file of a transformer.
  ///   - cache: where results are remembered: reading 24 GB takes a while.
  /// - Throws: what is wrong with the checkpoint; `CancellationError`.
  public static func transformer(of path: String, remembering cache: DigestCache? = nil) throws -> SHA256.Digest {
    try digest(of: transformerPart(path), cache)
  }

  /// The digest of the transformer if it is remembered: no weights are read.
  public static func remembered(transformerOf path: String, in cache: DigestCache) throws -> SHA256.Digest? {
    let part = try transformerPart(path)
    return cache[part.kind, try part.identities()]
  }

  private static func transformerPart(_ path: String) throws -> CheckpointPart {
    Folder.isFolder(path)
      ? try CheckpointPart(folder: "\(path)/transformer", name: "transformer") : try CheckpointPart(file: path)
  }

  /// The digest of all parts that decide about a picture.
  ///
  /// - Parameter others: files or folders that belong to a single file, such as those of encoders, in a fixed order.
  /// - Throws: as ``transformer(of:remembering:)``.
  public static func checkpoint(
    _ path: String, others: [String] = [], remembering cache: DigestCache? = nil
  ) throws -> SHA256.Digest {
    var hash = SHA256()
    hash.update(Array("clusca checkpoint 1\n".utf8))
    for part in try parts(path, others: others) {
      hash.update(Array("\(part.name) \(try digest(of: part, cache))\n".utf8))
    }
    return hash.finalize()
  }

  private static func parts(_ path: String, others: [String]) throws -> [CheckpointPart] {
    guard Folder.isFolder(path) else {
      return try [CheckpointPart(file: path)]
        + others.enumerated().map { index, other in
          Folder.isFolder(other)
            ? try CheckpointPart(folder: other, name: "part \(index)") : try CheckpointPart(file: other)
        }
    }
    let folder = try PipelineFolder(path)
    let names = folder.index.json.object?.keys.filter { folder.index.json[$0]?.array?.count == 2 } ?? []
    return try names.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
      .filter { Folder.isFolder("\(folder.path)/\($0)") }
      .map { try CheckpointPart(folder: "\(folder.path)/\($0)", name: $0) }
  }

  private static func digest(of part: CheckpointPart, _ cache: DigestCache?) throws -> SHA256.Digest {
    let files = try part.identities()
    if let known = cache?[part.kind, files] { return known }
    let digest = try part.digest()
    // What was changed while it was read is not remembered.
    if let cache, try part.identities() == files { cache.remember(digest, part.kind, files) }
    return digest
  }
}
