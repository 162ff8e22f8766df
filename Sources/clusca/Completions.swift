import ArgumentParser

/// `clusca completions`: what makes a shell complete commands and options.
struct Completions: ParsableCommand {
  enum Shell: String, ExpressibleByArgument, CaseIterable {
    case bash
    case zsh
    case fish
  }

  static let configuration = CommandConfiguration(
    abstract: "Prints the completion script for a shell.",
    discussion: """
      Install it with one of:
        clusca completions bash > ~/.local/share/bash-completion/completions/clusca
        clusca completions zsh > ~/.zsh/completions/_clusca
        clusca completions fish > ~/.config/fish/completions/clusca.fish
      """)

  @Argument(help: "The shell: bash, zsh or fish.")
  var shell: Shell

  func run() throws {
    guard let known = CompletionShell(rawValue: shell.rawValue) else {
      throw CommandFailure(.failure, "There is no completion script for \(shell.rawValue).")
    }
    try StandardOutput.write(Clusca.completionScript(for: known))
  }
}
