import ArgumentParser
import Rendering

/// Which steps are computed in full, and how the others come about.
struct CacheOptions: ParsableArguments {
  @Option(help: "The caching method; unless given clusca, or none for the first picture of a comparison.")
  var cache: CacheSettings.Method?

  @Option(
    help:
      "quality, balanced or fast: a full step every 3, 5 (DiT: 4) or 7 steps, or half, once or twice the threshold; balanced unless given."
  )
  var cachePreset: CacheSettings.Preset?

  @Option(
    help: ArgumentHelp(
      "Options of the method: " + CacheOption.allCases.map { "\($0.rawValue): \($0.meaning)" }.joined(separator: "; ")
        + ".",
      valueName: "name=value,…"))
  var cacheOption: [String] = []

  var isGiven: Bool { cache != nil || cachePreset != nil || !cacheOption.isEmpty }

  /// The settings for a model, beginning with those of its family or of a picture that is rendered again.
  func settings(_ base: CacheSettings, family: CacheSettings) throws -> CacheSettings {
    try base.with(cache, cachePreset, cacheOption, family: family, optionName: "--cache-option")
  }
}

extension CacheSettings {
  /// These settings with what options of the command name.
  func with(
    _ method: Method?, _ preset: Preset?, _ options: [String], family: CacheSettings, optionName: String
  ) throws -> CacheSettings {
    var settings = self
    if let method, method != settings.method { settings = settings.using(method) }
    if let preset { settings = settings.with(preset, family: family) }
    for options in options {
      do {
        try settings.apply(options)
      } catch let error as CacheOptionError {
        throw CommandFailure(.usage, "\(optionName): \(error).")
      }
    }
    return settings
  }
}

extension CacheSettings.Method: ExpressibleByArgument {}
extension CacheSettings.Preset: ExpressibleByArgument {}
