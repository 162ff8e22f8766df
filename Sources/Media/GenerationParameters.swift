/// The settings of a picture in the form that A1111 began and most galleries read:
///
///     a cat on a mat
///     Negative prompt: blurry
///     Steps: 28, Sampler: Euler, Seed: 42, Size: 1024x1024, Model: "flux1, dev"
///
/// The form is ambiguous: nothing keeps a line of the prompt from looking like one of the other two parts. Such a line
/// is written with a space before it, and `init(parsing:)` takes one away, as mailboxes do with `From` in a letter.
/// So what `text()` writes is read back as it was, with two exceptions: carriage returns become line feeds, and control
/// characters are shown as `\u001b`.
public struct GenerationParameters: Sendable, Equatable {
  public struct Setting: Sendable, Equatable {
    public var name: String
    public var value: String

    public init(_ name: String, _ value: String) {
      self.name = name
      self.value = value
    }
  }

  public var prompt: String
  /// Empty when there is none.
  public var negativePrompt: String
  /// In the order in which they are written. A reader knows the line of settings by three or more of them, or by
  /// `Steps: ` and a number as the first; fewer are taken for prompt, by A1111 as well.
  public var settings: [Setting]

  public init(prompt: String, negativePrompt: String = "", settings: [Setting] = []) {
    self.prompt = prompt
    self.negativePrompt = negativePrompt
    self.settings = settings
  }

  /// The value of the first setting of this name.
  public subscript(name: String) -> String? { settings.first { $0.name == name }?.value }

  /// The three parts as one text. The names of settings must be such as A1111 reads.
  public func text() throws(MediaError) -> String {
    var lines = GenerationParameters.lines(prompt).map(GenerationParameters.stuffedMark)
    if !negativePrompt.isEmpty {
      let negative = GenerationParameters.lines(negativePrompt)
      lines.append(GenerationParameters.negativeMark + " " + negative[0])
      lines += negative.dropFirst().map(GenerationParameters.stuffedMark)
    }
    if settings.isEmpty {
      if let last = lines.lastIndex(where: { !$0.isBlank }), GenerationParameters.needsStuffing(lines[last]) {
        lines[last] = " " + lines[last]
      }
    } else {
      lines.append(try SettingsLine.text(settings))
    }
    return lines.joined(separator: "\n")
  }

  /// Reads whatever a picture carries; text that has no such parts is all prompt.
  public init(parsing text: String) {
    var lines = text.withLineFeedsOnly().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    var settings: [Setting] = []
    if let last = lines.lastIndex(where: { !$0.isBlank }) {
      if let found = GenerationParameters.settings(lines[last]) {
        settings = found
        lines.removeSubrange(last...)
      } else if lines[last].beginsWithSpace, GenerationParameters.needsStuffing(lines[last]) {
        lines[last] = lines[last].dropping(1)
      }
    }

    var prompt: [String] = []
    var negative: [String]? = nil
    for line in lines {
      if negative == nil, line.begins(with: GenerationParameters.negativeMark) {
        let rest = line.dropping(GenerationParameters.negativeMark.unicodeScalars.count)
        negative = [rest.beginsWithSpace ? rest.dropping(1) : rest]
      } else if negative != nil {
        negative?.append(GenerationParameters.unstuffedMark(line))
      } else {
        prompt.append(GenerationParameters.unstuffedMark(line))
      }
    }
    self.init(
      prompt: prompt.joined(separator: "\n"), negativePrompt: negative?.joined(separator: "\n") ?? "",
      settings: settings)
  }

  // MARK: - Lines

  private static let negativeMark = "Negative prompt:"

  private static func lines(_ text: String) -> [String] {
    text.withLineFeedsOnly().withControlsEscaped(keeping: ["\n", "\t"])
      .split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
  }

  private static func stuffedMark(_ line: String) -> String {
    line.withoutLeadingSpaces.begins(with: negativeMark) ? " " + line : line
  }

  private static func unstuffedMark(_ line: String) -> String {
    line.beginsWithSpace && line.withoutLeadingSpaces.begins(with: negativeMark) ? line.dropping(1) : line
  }

  /// The settings of a line that is one; nil for a line of a prompt.
  private static func settings(_ line: String) -> [Setting]? {
    guard !line.beginsWithSpace, !line.begins(with: negativeMark) else { return nil }
    let found = SettingsLine.settings(in: line)
    let beginsWithSteps = found.first.map { $0.name == "Steps" && Int($0.value) != nil } ?? false
    return found.count >= 3 || beginsWithSteps ? found : nil
  }

  /// Whether a last line of a prompt, but for spaces before it, would be taken for settings.
  private static func needsStuffing(_ line: String) -> Bool { settings(line.withoutLeadingSpaces) != nil }
}

// Everything here goes by Unicode scalars: as a `Character`, a space before a combining accent is no space.
extension String {
  fileprivate var isBlank: Bool { unicodeScalars.allSatisfy { $0.properties.isWhitespace } }

  fileprivate var beginsWithSpace: Bool { unicodeScalars.first == " " }

  fileprivate var withoutLeadingSpaces: String { String(Substring(unicodeScalars.drop { $0 == " " })) }

  fileprivate func dropping(_ count: Int) -> String { String(Substring(unicodeScalars.dropFirst(count))) }

  fileprivate func begins(with mark: String) -> Bool { unicodeScalars.starts(with: mark.unicodeScalars) }

  fileprivate func withLineFeedsOnly() -> String {
    guard unicodeScalars.contains("\r") else { return self }
    var scalars = String.UnicodeScalarView()
    var previous: Unicode.Scalar? = nil
    for scalar in unicodeScalars {
      if !(scalar == "\n" && previous == "\r") { scalars.append(scalar == "\r" ? "\n" : scalar) }
      previous = scalar
    }
    return String(scalars)
  }
}
