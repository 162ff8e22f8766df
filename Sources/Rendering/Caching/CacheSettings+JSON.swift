import FeatureCaching
import StrictJSON

extension CacheSettings {
  /// The method and its options, as a picture keeps them: what the user may choose. The rest is the family's.
  public var json: JSONObject {
    var json: JSONObject = ["method": .string(method.rawValue)]
    for option in CacheOption.allCases where option.methods.contains(method) {
      json[option.rawValue] = value(of: option)
    }
    return json
  }

  /// The value of an option, under whose name a picture keeps it.
  public func value(of option: CacheOption) -> JSONValue {
    switch option {
    case .interval: .integer(interval)
    case .firstEnhance: .integer(enhancedSteps)
    case .maxOrder: .integer(maximumOrder)
    case .outputs: .string(outputs.rawValue)
    case .differences: .string(differences.rawValue)
    case .clusterNum: .integer(clusters)
    case .propagationRatio: .number(propagation)
    case .kMeansIterations: .integer(kMeansIterations)
    case .quirks: .string(quirks == authorsQuirks ? "authors" : "none")
    case .freshRatio: .number(freshRatio)
    case .cacheType: .string(tokenChoice.rawValue)
    case .threshold: .number(threshold)
    case .decayRate: .number(decay)
    case .minTaylorSteps: .integer(minimumCachedSteps)
    case .maxTaylorSteps, .maxContinuousCachedSteps: .integer(maximumContinuousSteps)
    case .maxWarmupSteps: .integer(warmupSteps)
    case .maxCachedSteps: .integer(maximumCachedSteps)
    }
  }

  /// These settings with what `json` says; a `preset` in it counts before the options.
  ///
  /// - Throws: ``CacheOptionError``.
  public func with(_ json: JSONObject, family: CacheSettings) throws -> CacheSettings {
    var settings = self
    if let value = json["method"] {
      guard let method = value.string.flatMap(Method.init(rawValue:)) else {
        throw CacheOptionError(description: "\(value.text()) is no caching method")
      }
      settings = settings.using(method)
    }
    if let value = json["preset"] {
      guard let preset = value.string.flatMap(Preset.init(rawValue:)) else {
        throw CacheOptionError(description: "\(value.text()) is no preset of caching")
      }
      settings = settings.with(preset, family: family)
    }
    for (name, value) in json where name != "method" && name != "preset" {
      try settings.apply("\(name)=\(value.string ?? value.text())")
    }
    return settings
  }
}
