import StrictJSON

/// The last line of A1111's form, `Name: value, Name: "quoted, value"`.
///
/// A name is what its reader accepts, `\w[\w \-/]+`: two or more letters, digits, underscores, spaces, hyphens and
/// slashes, the first one of the former three. A value with a comma, a colon or a line feed is quoted there as JSON
/// quotes a string; here one with a quote or with space around it is quoted, too, so that it returns unchanged.
enum SettingsLine {
  static func text(_ settings: [GenerationParameters.Setting]) throws(MediaError) -> String {
    var entries: [String] = []
    for setting in settings {
      let name = Array(setting.name.unicodeScalars)
      guard nameEnd(name[...]) == name.count, name.last != " " else {
        throw .unsuitableText("\"\(setting.name)\" cannot be the name of a setting")
      }
      entries.append(setting.name + ": " + (needsQuotes(setting.value) ? quoted(setting.value) : setting.value))
    }
    return entries.joined(separator: ", ")
  }

  /// The settings at the start of a line; none if it does not begin with one.
  ///
  /// An unquoted value ends at a comma behind which the next name stands, or at the end, so that a list written without
  /// quotes (as some galleries add) stays whole.
  static func settings(in line: String) -> [GenerationParameters.Setting] {
    let scalars = Array(line.unicodeScalars)
    var settings: [GenerationParameters.Setting] = []
    var rest = scalars[...]
    while let nameEnd = nameEnd(rest.drop { $0.properties.isWhitespace }), nameEnd < scalars.count,
      scalars[nameEnd] == ":"
    {
      let name = text(rest[..<nameEnd]).trimmed
      let afterColon = scalars[(nameEnd + 1)...].drop { $0.properties.isWhitespace }
      let value: String
      if let (unquoted, end) = quotedValue(afterColon) {
        value = unquoted
        rest = scalars[end...].dropFirst()
      } else {
        let end = unquotedEnd(afterColon)
        value = text(afterColon[..<end]).trimmed
        rest = scalars[end...].dropFirst()
      }
      settings.append(GenerationParameters.Setting(name, value))
      // Stray commas, as in `Seed: 1, , Size: 2x2`.
      rest = rest.drop { $0 == "," || $0.properties.isWhitespace }
    }
    return settings
  }

  // MARK: - Names

  /// Where a name that begins at the start of `scalars` ends; nil if none does.
  private static func nameEnd(_ scalars: ArraySlice<Unicode.Scalar>) -> Int? {
    guard let first = scalars.first, isWord(first) else { return nil }
    let end = scalars.firstIndex { !isWord($0) && $0 != " " && $0 != "-" && $0 != "/" } ?? scalars.endIndex
    return end - scalars.startIndex >= 2 ? end : nil
  }

  /// Python's `\w`.
  private static func isWord(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar.properties.generalCategory {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter, .decimalNumber,
      .letterNumber, .otherNumber:
      true
    default: scalar == "_"
    }
  }

  // MARK: - Values

  private static func needsQuotes(_ value: String) -> Bool {
    let scalars = value.unicodeScalars
    guard let first = scalars.first, let last = scalars.last else { return false }
    return first.properties.isWhitespace || last.properties.isWhitespace
      || scalars.contains { $0 == "," || $0 == ":" || $0 == "\"" || $0.isControl }
  }

  private static func quoted(_ value: String) -> String { JSONValue.string(value).text().withControlsEscaped() }

  /// The value in quotes at the start of `scalars` and the index of the comma or end behind it; nil if there is none,
  /// or if it is not quoted as JSON is.
  private static func quotedValue(_ scalars: ArraySlice<Unicode.Scalar>) -> (value: String, end: Int)? {
    guard scalars.first == "\"" else { return nil }
    var index = scalars.startIndex + 1
    while index < scalars.endIndex, scalars[index] != "\"" { index += scalars[index] == "\\" ? 2 : 1 }
    guard index < scalars.endIndex,
      let value = try? JSONValue(parsing: text(scalars[...index])).string
    else { return nil }
    let behind = scalars[(index + 1)...].drop { $0.properties.isWhitespace }
    return behind.isEmpty || behind.first == "," ? (value, behind.startIndex) : nil
  }

  private static func unquotedEnd(_ scalars: ArraySlice<Unicode.Scalar>) -> Int {
    var index = scalars.startIndex
    while let comma = scalars[index...].firstIndex(of: ",") {
      let behind = scalars[comma...].drop { $0 == "," || $0.properties.isWhitespace }
      guard let next = behind.first else { return comma }
      if isWord(next), let end = nameEnd(behind), end < scalars.endIndex, scalars[end] == ":" { return comma }
      index = behind.startIndex
    }
    return scalars.endIndex
  }

  private static func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
    var text = String.UnicodeScalarView()
    text.append(contentsOf: scalars)
    return String(text)
  }
}

extension String {
  /// Without white space at both ends, by scalars.
  fileprivate var trimmed: String {
    var scalars = unicodeScalars[...].drop { $0.properties.isWhitespace }
    while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
    return String(Substring(scalars))
  }
}
