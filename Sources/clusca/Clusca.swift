import ArgumentParser

@main
struct Clusca: AsyncParsableCommand {
  static let configuration = CommandConfiguration(commandName: "clusca")
}
