import ArgumentParser
import Files
import Messaging

/// `clusca keys allow`
struct AllowKey: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "allow",
    abstract: "Puts a public key on the allow-list of a coordinator.",
    discussion: """
      A worker computes, a client submits jobs and cancels its own, an admin also those of others, an observer asks for \
      the status. A coordinator that runs takes notice of changes when it gets a SIGHUP.
      """)

  @Argument(
    help: ArgumentHelp("The file of a public key, or the name of one in the folder.", valueName: "name.public"),
    completion: .file(extensions: ["public"]))
  var key: String

  @Option(help: "What the node may do.")
  var role: AllowedRole

  @Option(
    help: ArgumentHelp(
      "The last day of the key, such as 2027-01-31, or its last moment, such as 2027-01-31T12:00:00Z, both in UTC.",
      valueName: "date"))
  var notAfter: String?

  @OptionGroup var options: AllowListOptions

  func run() throws {
    let (name, publicKey) = try KeyFiles.read(public: path())
    let list = try options.path()
    if let notAfter { try check(notAfter, name, publicKey) }
    if options.allowList == nil { try options.folderOptions.keyFolder().make() }
    if Folder.isRegularFile(list) {
      for entry in try AllowListFile(list).read().entries where entry.name == name || entry.key == publicKey {
        throw CommandFailure(
          .output,
          entry.name == name
            ? "\(name) is on \(list) already, as \(entry.role.word); take it off first: clusca keys revoke \(name)."
            : "The key of \(name) is on \(list) already, under the name \(entry.name).")
      }
    }
    try AllowListFile(list).add(name: name, role: role.role, key: publicKey, notAfter: notAfter)
    try StandardOutput.write("\(name) is allowed as \(role.rawValue) by \(list)")
  }

  /// The file as given, or the one of that name in the folder.
  private func path() throws -> String {
    if key.contains("/") || Folder.isRegularFile(key) { return key }
    let name = key.hasSuffix(".public") ? key : "\(key).public"
    let inFolder = "\(try options.folderOptions.keyFolder().path)/\(name)"
    return Folder.isRegularFile(inFolder) ? inFolder : key
  }

  /// Refuses what a line of the list would not keep.
  private func check(_ date: String, _ name: String, _ key: PublicKey) throws {
    let isOneWord = date.utf8.allSatisfy { (0x2B...0x5A).contains($0) }
    let line = "\(name) \(role.rawValue) \(key.text) \(date)"
    guard isOneWord, (try? AllowList(parsing: line))?.entries.first?.notAfter != nil else {
      throw CommandFailure(
        .usage, "--not-after \(date.printable()) is no date such as 2027-01-31 or 2027-01-31T12:00:00Z.")
    }
  }
}

/// The roles that an allow-list can give.
enum AllowedRole: String, ExpressibleByArgument, CaseIterable {
  case worker
  case client
  case admin
  case observer

  var role: Role {
    switch self {
    case .worker: .worker
    case .client: .client
    case .admin: .admin
    case .observer: .observer
    }
  }
}
