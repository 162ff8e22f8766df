import Files

/// Why a model was not found in Hugging Face's cache, as one sentence.
public enum HuggingFaceCacheError: Error, Sendable, Hashable, CustomStringConvertible {
  case invalidRepository(String, reason: String)
  /// No variable of the environment says where the cache is.
  case noCacheFolder
  /// The model, the revision or its files are not there; `path` is what was looked for.
  case notDownloaded(HuggingFaceRepository, path: String)
  /// The file of a branch or tag does not hold a commit.
  case malformedReference(path: String)
  case forbiddenLink(path: String, reason: String)

  public var description: String {
    switch self {
    case .invalidRepository(let text, let reason):
      "\"\(text.printable(limit: 200))\" is not a repository of Hugging Face: \(reason)"
    case .noCacheFolder:
      "the cache of Hugging Face cannot be found: none of HF_HUB_CACHE, HF_HOME, XDG_CACHE_HOME and HOME is set"
    case .notDownloaded(let repository, let path):
      "\(repository) is not in the cache of Hugging Face, there is no \(path.printable()); "
        + "download it with: \(repository.downloadCommand)"
    case .malformedReference(let path):
      "\(path.printable()): does not hold a commit of 40 hexadecimal digits"
    case .forbiddenLink(let path, let reason):
      "\(path.printable()): this link is not followed, \(reason)"
    }
  }
}
