import Files
import Messaging

/// The folder in which a user's keys lie.
struct KeyFolder {
  let path: String

  static let allowListName = "allowed"

  /// - Parameters:
  ///   - given: by an option.
  ///   - environment: the variables of the process.
  init(_ given: String?, environment: [String: String]) throws(CommandFailure) {
    if let given {
      guard !given.isEmpty else { throw CommandFailure(.usage, "--folder is empty.") }
      path = given.count > 1 && given.hasSuffix("/") ? String(given.dropLast()) : given
    } else if let folder = environment["XDG_CONFIG_HOME"], folder.hasPrefix("/") {
      path = "\(folder)/clusca/keys"
    } else if let home = environment["HOME"], !home.isEmpty {
      path = "\(home)/.config/clusca/keys"
    } else {
      throw CommandFailure(.usage, "There is no place for keys; set XDG_CONFIG_HOME or HOME, or give --folder.")
    }
  }

  var allowList: String { "\(path)/\(Self.allowListName)" }

  /// Makes the folder if it is missing, for its owner's eyes.
  func make() throws(FileError) { try Folder.make(path, permissions: 0o700) }

  /// The names of the keys of which the secret half is here.
  func names() throws(FileError) -> [String] {
    guard Folder.isFolder(path) else { return [] }
    return try Folder.names(in: path).filter { $0.hasSuffix(".secret") }.map { String($0.dropLast(".secret".count)) }
  }
}
