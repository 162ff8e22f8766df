/// What an entry of a prompts file may set: the names of the columns of a .csv file and of the members of a .jsonl line,
/// and those under which a picture keeps its settings.
enum PromptKey: String, CaseIterable, Sendable {
  case prompt
  case classLabel = "class_label"
  case negativePrompt = "negative_prompt"
  case seed
  case width
  case height
  case steps
  case guidance
  case cfgScale = "cfg_scale"
  case output

  static var list: String { allCases.map(\.rawValue).joined(separator: ", ") }

  var isText: Bool { [.prompt, .negativePrompt, .output].contains(self) }
}
