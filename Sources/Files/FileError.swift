/// Why a file or folder could not be used: one sentence that names it, without its full stop.
public struct FileError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What was to be done with it.
  public enum Action: Sendable, Hashable {
    case reading
    case writing
  }

  public let path: String
  public let action: Action
  public let failure: FileFailure

  public init(path: String, _ action: Action, _ failure: FileFailure) {
    self.path = path
    self.action = action
    self.failure = failure
  }

  /// What is wrong with what was read, such as "is no valid JSON".
  public init(path: String, reason: String) {
    self.init(path: path, .reading, .content(reason))
  }

  /// The reason alone.
  public var reason: String { failure.description }

  public var description: String {
    let name = path.isEmpty ? "A file without a name" : path.printable()
    if case .content(let reason) = failure { return "\(name): \(reason)" }
    return "\(name) cannot be \(action == .reading ? "read" : "written"): \(failure)"
  }
}
