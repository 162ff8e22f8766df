import ArgumentParser

/// `clusca keys`: who a node is, and whom a coordinator serves.
struct Keys: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Makes keys for the nodes of a cluster and says whom a coordinator serves.",
    discussion: """
      A node has two keys: NAME.secret stays with it, NAME.public is given to whoever shall know it. A coordinator serves \
      the keys on its allow-list and nobody else.

      Keys lie in $XDG_CONFIG_HOME/clusca/keys or ~/.config/clusca/keys, and the allow-list is the file \
      "\(KeyFolder.allowListName)" there, unless options say otherwise. What is wrong with an option or a name has status \
      \(ExitStatus.usage.rawValue), what cannot be read or is not there \(ExitStatus.input.rawValue), what cannot be \
      written or is there already \(ExitStatus.output.rawValue).
      """,
    subcommands: [NewKey.self, ListKeys.self, AllowKey.self, RevokeKey.self])
}

/// Where keys are.
struct KeyFolderOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The folder of the keys; $XDG_CONFIG_HOME/clusca/keys or ~/.config/clusca/keys unless given.", valueName: "folder"
    ),
    completion: .directory)
  var folder: String?

  func keyFolder() throws -> KeyFolder { try KeyFolder(folder, environment: Environment.variables) }
}

/// Where keys and allow-list are.
struct AllowListOptions: ParsableArguments {
  @OptionGroup var folderOptions: KeyFolderOptions

  @Option(
    help: ArgumentHelp("The allow-list; \(KeyFolder.allowListName) in the folder unless given.", valueName: "file"),
    completion: .file())
  var allowList: String?

  func path() throws -> String { try allowList ?? folderOptions.keyFolder().allowList }
}
