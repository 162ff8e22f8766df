import ArgumentParser
import Rendering

/// The prompt whose pictures are compared, and where they go.
struct ComparedPrompt: ParsableArguments {
  @Option(
    name: .shortAndLong, help: ArgumentHelp("Render this prompt twice, with different caching.", valueName: "text"))
  var prompt: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Render this class twice, for models of classes (DiT).", valueName: "class"))
  var classLabel: String?

  @Option(
    name: .customLong("prompt-2"),
    help: ArgumentHelp("Another prompt for the second text encoder (FLUX: T5).", valueName: "text"))
  var secondPrompt: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("What to stay away from; counts with a --cfg-scale above 1.", valueName: "text"))
  var negativePrompt: String?

  @Option(name: .shortAndLong, help: ArgumentHelp("Keep the first picture in this file.", valueName: "file"))
  var output: String?

  @Option(help: ArgumentHelp("Keep the second picture in this file.", valueName: "file"))
  var withOutput: String?

  /// What is rendered; nil if files are compared.
  ///
  /// - Throws: ``CommandFailure`` for a text that is too long or holds a zero byte.
  func entry() throws -> PromptEntry? {
    var entry = PromptEntry()
    if let prompt {
      entry.prompt = try PromptOptions.checked(prompt, "--prompt")
    } else if let classLabel {
      entry.classLabel = try PromptOptions.checked(classLabel, "--class-label")
    } else {
      return nil
    }
    return entry
  }

  var isEmpty: Bool {
    [prompt, classLabel, secondPrompt, negativePrompt, output, withOutput].allSatisfy { $0 == nil }
  }
}

/// The caching of the second picture: the same options as for the first.
struct WithCacheOptions: ParsableArguments {
  @Option(help: "The caching method; clusca unless given.")
  var withCache: CacheSettings.Method?

  @Option(help: "A full step every 3, 5 (DiT: 4) or 7 steps; balanced unless given.")
  var withCachePreset: CacheSettings.Preset?

  @Option(help: ArgumentHelp("Options of the method, those of --cache-option.", valueName: "name=value,…"))
  var withCacheOption: [String] = []

  var isGiven: Bool { withCache != nil || withCachePreset != nil || !withCacheOption.isEmpty }

  func settings(family: CacheSettings) throws -> CacheSettings {
    try family.with(withCache, withCachePreset, withCacheOption, family: family, optionName: "--with-cache-option")
  }
}
