import Files

/// The name of a model on Hugging Face, such as `black-forest-labs/FLUX.1-dev`, and perhaps a revision of it.
public struct HuggingFaceRepository: Sendable, Hashable, CustomStringConvertible {
  public let organisation: String
  public let name: String
  /// A branch, a tag or a commit; nil for the branch `main`.
  public let revision: String?

  /// Reads `org/name` or `org/name@revision`.
  ///
  /// The rules for the two names are those of huggingface_hub (`validate_repo_id`): letters, digits, `-`, `_` and `.`, at
  /// most 96 characters in all, no `--` and no `..`, neither `-` nor `.` at an end, no `.git` at the end.
  public init(_ text: String) throws(HuggingFaceCacheError) {
    func failure(_ reason: String) -> HuggingFaceCacheError { .invalidRepository(text, reason: reason) }
    let halves = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    let parts = halves[0].split(separator: "/", omittingEmptySubsequences: false).map(String.init)
    guard parts.count == 2 else { throw failure("expected org/name or org/name@revision") }
    guard halves[0].utf8.count <= 96 else { throw failure("it is longer than 96 characters") }
    for part in parts {
      guard !part.isEmpty, part.utf8.allSatisfy(Self.isAllowed) else {
        throw failure("names consist of letters, digits, '-', '_' and '.'")
      }
      guard !part.contains("--"), !part.contains("..") else { throw failure("it holds '--' or '..'") }
      guard let first = part.first, let last = part.last, !"-.".contains(first), !"-.".contains(last) else {
        throw failure("a name begins or ends with '-' or '.'")
      }
    }
    guard !parts[1].hasSuffix(".git") else { throw failure("it ends with .git") }
    organisation = parts[0]
    name = parts[1]
    guard halves.count == 2 else {
      revision = nil
      return
    }
    let revision = String(halves[1])
    // A revision is a path below `refs`, such as `main` or `refs/pr/1`.
    let components = revision.split(separator: "/", omittingEmptySubsequences: false)
    guard revision.utf8.count <= 200, !revision.hasPrefix("-"),
      components.allSatisfy({ $0.utf8.allSatisfy(Self.isAllowed) && !["", ".", ".."].contains($0) })
    else { throw failure("\"\(revision.printable(limit: 80))\" is not the name of a revision") }
    self.revision = revision
  }

  public var description: String { "\(organisation)/\(name)\(revision.map { "@\($0)" } ?? "")" }

  /// The command that brings it into the cache.
  public var downloadCommand: String {
    "hf download \(organisation)/\(name)\(revision.map { " --revision \($0)" } ?? "")"
  }

  private static func isAllowed(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."):
      true
    default: false
    }
  }
}
