/// What stands behind the program's name on the command line.
enum ProgramArguments {
  /// The arguments as texts.
  ///
  /// `CommandLine.arguments` puts another character in the place of bytes that are no UTF-8, so that a picture would show
  /// something else, or lie elsewhere, than what was asked for.
  static func all() throws(CommandFailure) -> [String] {
    var arguments: [String] = []
    for number in 1..<max(1, Int(CommandLine.argc)) {
      guard let bytes = CommandLine.unsafeArgv[number] else { break }
      guard let argument = String(validatingCString: bytes) else {
        throw CommandFailure(
          .usage,
          "Argument number \(number), \"\(String(cString: bytes).prefix(40))\", is not valid UTF-8; texts and paths must be."
        )
      }
      arguments.append(argument)
    }
    return arguments
  }
}
