import ArgumentParser

/// `clusca workers`: what may be done about a coordinator's workers.
struct Workers: AsyncParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Lets workers of a coordinator work again that it has set aside.", subcommands: [ReadmitWorkers.self])
}
