extension String {
  /// The text with control and formatting characters as `\u{1b}`: names and prompts come from strangers and must not
  /// steer a terminal.
  var withControlsShown: String {
    var shown = ""
    for scalar in unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        shown += "\\u{\(String(scalar.value, radix: 16))}"
      default: shown.unicodeScalars.append(scalar)
      }
    }
    return shown
  }
}
