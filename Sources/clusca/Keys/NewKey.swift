import ArgumentParser
import Files
import Messaging

/// `clusca keys new`
struct NewKey: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "new",
    abstract: "Makes the keys of a node.",
    discussion: "Writes NAME.secret, which only its owner can read, and NAME.public. A key that exists is not replaced."
  )

  @Argument(help: "The node's name: letters, digits, dot, minus and underscore, 64 at most.")
  var name: String

  @OptionGroup var folderOptions: KeyFolderOptions

  func validate() throws {
    guard KeyFiles.isName(name) else {
      throw ValidationError(
        "\(name.printable()) is no name for a key: letters, digits, dot, minus and underscore, 64 at most")
    }
  }

  func run() throws {
    let folder = try folderOptions.keyFolder()
    try folder.make()
    try KeyFiles.make(name: name, in: folder.path)
    try StandardOutput.write("\(folder.path)/\(name).public")
  }
}
