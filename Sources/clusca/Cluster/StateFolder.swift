/// The folder in which a coordinator remembers its jobs.
struct StateFolder {
  let path: String

  /// - Parameters:
  ///   - given: by an option.
  ///   - environment: the variables of the process.
  init(_ given: String?, environment: [String: String]) throws(CommandFailure) {
    if let given {
      guard !given.isEmpty else { throw CommandFailure(.usage, "--state is empty.") }
      path = given.count > 1 && given.hasSuffix("/") ? String(given.dropLast()) : given
    } else if let folder = environment["XDG_STATE_HOME"], folder.hasPrefix("/") {
      path = "\(folder)/clusca/coordinator"
    } else if let home = environment["HOME"], !home.isEmpty {
      path = "\(home)/.local/state/clusca/coordinator"
    } else {
      throw CommandFailure(
        .usage, "There is no place to remember jobs in; set XDG_STATE_HOME or HOME, or give --state.")
    }
  }
}
