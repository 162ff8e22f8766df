import ArgumentParser
import Messaging

/// `clusca keys revoke`
struct RevokeKey: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "revoke",
    abstract: "Takes a node off the allow-list.")

  @Argument(help: "The name on the list.")
  var name: String

  @OptionGroup var options: AllowListOptions

  func run() throws {
    let list = try options.path()
    guard try AllowListFile(list).revoke(name: name) else {
      throw CommandFailure(.input, "\(name) is not on \(list).")
    }
    try StandardOutput.write("\(name) is no longer allowed by \(list)")
  }
}
