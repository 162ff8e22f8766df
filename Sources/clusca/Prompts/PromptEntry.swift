import Rendering
import StrictJSON

/// One picture of a prompts file. What is nil is left to the options of the command.
struct PromptEntry: Sendable, Equatable {
  /// The most bytes of UTF-8 of a prompt. Encoders look at some hundred tokens at most; the rest of a longer text is
  /// a mistake, such as a file that is no list of prompts.
  static let maximumPromptBytes = 64 << 10

  var prompt = ""
  /// For models of classes, instead of a prompt: a number or a name.
  var classLabel: String?
  var negativePrompt: String?
  /// -1 asks for a random one.
  var seed: Int?
  var width: Int?
  var height: Int?
  var steps: Int?
  var guidance: Double?
  var cfgScale: Double?
  /// The place of the picture, a pattern as for `--output`.
  var output: String?
  /// Where the entry begins in its file, from 1.
  var line = 1

  /// Why a value cannot be taken, as the end of a sentence.
  struct Refusal: Error { let reason: String }

  mutating func set(_ key: PromptKey, to value: JSONValue) throws(Refusal) {
    switch key {
    case .prompt: prompt = try Self.prompt(value, key)
    case .classLabel:
      if let number = value.int { classLabel = "\(number)" } else { classLabel = try Self.text(value, key) }
    case .negativePrompt: negativePrompt = try Self.prompt(value, key)
    case .seed: seed = try Self.integer(value, key, in: -1...Int.max)
    case .width: width = try Self.integer(value, key, in: 1...RenderRequest.maximumSide)
    case .height: height = try Self.integer(value, key, in: 1...RenderRequest.maximumSide)
    case .steps: steps = try Self.integer(value, key, in: 1...RenderRequest.maximumSteps)
    case .guidance: guidance = try Self.number(value, key)
    case .cfgScale: cfgScale = try Self.number(value, key)
    case .output:
      let text = try Self.text(value, key)
      guard !text.isEmpty else { throw Refusal(reason: "\"output\" is empty") }
      output = text
    }
  }

  /// A prompt as any source may give it, option or file; throws if it is too long or no text.
  static func prompt(_ value: JSONValue, _ key: PromptKey) throws(Refusal) -> String {
    let text = try text(value, key)
    guard text.utf8.count <= maximumPromptBytes else {
      throw Refusal(
        reason: "\"\(key.rawValue)\" has \(text.utf8.count) bytes, but at most \(maximumPromptBytes) are accepted")
    }
    return text
  }

  private static func text(_ value: JSONValue, _ key: PromptKey) throws(Refusal) -> String {
    guard let text = value.string else { throw mismatch(value, key, "a text") }
    guard !text.utf8.contains(0) else { throw Refusal(reason: "\"\(key.rawValue)\" holds a zero byte") }
    return text
  }

  private static func integer(_ value: JSONValue, _ key: PromptKey, in range: ClosedRange<Int>) throws(Refusal) -> Int {
    guard let number = value.int, range.contains(number) else {
      let bounds =
        range.upperBound == .max ? "from \(range.lowerBound) on" : "from \(range.lowerBound) to \(range.upperBound)"
      throw mismatch(value, key, "a whole number \(bounds)")
    }
    return number
  }

  private static func number(_ value: JSONValue, _ key: PromptKey) throws(Refusal) -> Double {
    guard let number = value.double, number.isFinite, (0...1000).contains(number) else {
      throw mismatch(value, key, "a number from 0 to 1000")
    }
    return number
  }

  private static func mismatch(_ value: JSONValue, _ key: PromptKey, _ expected: String) -> Refusal {
    let text = value.text()
    return Refusal(reason: "\"\(key.rawValue)\" is \(text.count > 60 ? text.prefix(60) + "…" : text), not \(expected)")
  }
}
