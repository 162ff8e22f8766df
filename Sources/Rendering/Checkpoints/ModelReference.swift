import Files
import Glibc
import Tensors

/// What a user calls a model: a folder, a single file, or a repository in the local Hugging Face cache.
public enum ModelReference: Sendable, Hashable {
  /// A folder in the layout of diffusers.
  case folder(String)
  /// A single file, whose other parts the user names.
  case file(String)

  /// - Parameters:
  ///   - text: a path, or a repository such as `black-forest-labs/FLUX.1-schnell` or `org/name@revision`. What exists as a
  ///     path is a path.
  ///   - environment: the variables that say where the cache is; see ``HuggingFaceCache``.
  /// - Throws: `FileError` or `HuggingFaceCacheError`, which name the path that was looked at.
  public init(_ text: String, environment: [String: String]) throws {
    guard !text.isEmpty else { throw FileError(path: "\"\"", reason: "is no model; give a folder, a file or org/name") }
    if Folder.isFolder(text) {
      self = .folder(text)
    } else if Folder.isRegularFile(text) {
      self = .file(text)
    } else if !text.hasPrefix("/"), !text.hasPrefix("."), !text.hasPrefix("~"), !text.hasSuffix(".safetensors"),
      text.split(separator: "/", omittingEmptySubsequences: false).count == 2,
      let repository = try? HuggingFaceRepository(text)
    {
      self = .folder(try HuggingFaceCache(environment: environment).snapshotFolder(for: repository))
    } else if access(text, F_OK) == 0 {
      throw FileError(path: text, reason: "is neither a folder nor a regular file")
    } else {
      throw FileError(
        path: text,
        reason:
          "does not exist; give a folder in the layout of diffusers, a .safetensors file, or the name org/name of "
          + "a repository in the local Hugging Face cache")
    }
  }
}
