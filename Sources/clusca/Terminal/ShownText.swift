import Files

extension String {
  /// The whole text with control and formatting characters as `\u{1b}`: names and prompts come from strangers and must
  /// not steer a terminal.
  var withControlsShown: String { printable(limit: .max) }
}
