extension String {
  /// The text as it may stand in a message: control characters escaped, the middle of very long text left out. Names and
  /// paths come from files of strangers and must not be able to drive a terminal or forge a log line.
  package func printable(limit: Int = 400) -> String {
    var text = ""
    for scalar in unicodeScalars {
      switch scalar.properties.generalCategory {
      case .control, .format, .lineSeparator, .paragraphSeparator:
        text += "\\u{\(String(scalar.value, radix: 16))}"
      default: text.unicodeScalars.append(scalar)
      }
    }
    guard text.count > limit else { return text }
    return "\(text.prefix(limit / 2))…\(text.suffix(limit / 2))"
  }
}
