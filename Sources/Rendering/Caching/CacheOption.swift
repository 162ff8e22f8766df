import FeatureCaching

/// An option of a caching method as the user writes it: `interval=5`. Some have a second name, that of the authors' code.
public enum CacheOption: String, Sendable, CaseIterable {
  case interval
  case firstEnhance = "first_enhance"
  case maxOrder = "max_order"
  case outputs
  case differences
  case clusterNum = "cluster_num"
  case propagationRatio = "propagation_ratio"
  case kMeansIterations = "kmeans_iterations"
  case quirks
  case freshRatio = "fresh_ratio"
  case cacheType = "cache_type"
  case threshold
  case decayRate = "decay_rate"
  case minTaylorSteps = "min_taylor_steps"
  case maxTaylorSteps = "max_taylor_steps"
  case maxWarmupSteps = "max_warmup_steps"
  case maxCachedSteps = "max_cached_steps"
  case maxContinuousCachedSteps = "max_continuous_cached_steps"

  private static let otherNames: [String: CacheOption] = [
    "fresh_threshold": .interval, "N": .interval, "E": .firstEnhance, "O": .maxOrder, "K": .clusterNum,
    "gamma": .propagationRatio, "rel_l1_thresh": .threshold, "residual_diff_threshold": .threshold, "rdt": .threshold,
    "base_threshold": .threshold,
  ]

  /// The methods that the option has a meaning for.
  public var methods: Set<CacheSettings.Method> {
    switch self {
    case .interval: [.fora, .taylorseer, .clusca, .toca, .duca, .taylorSeerLite]
    case .firstEnhance: [.fora, .taylorseer, .clusca, .toca, .duca, .speca, .taylorSeerLite]
    case .maxOrder: [.taylorseer, .clusca, .speca, .taylorSeerLite]
    case .outputs, .differences: [.taylorseer, .clusca, .speca]
    case .clusterNum, .propagationRatio, .kMeansIterations, .quirks: [.clusca]
    case .freshRatio, .cacheType: [.toca, .duca]
    case .threshold: [.speca, .teacache, .fbcache]
    case .decayRate, .minTaylorSteps, .maxTaylorSteps: [.speca]
    case .maxWarmupSteps, .maxCachedSteps, .maxContinuousCachedSteps: [.fbcache]
    }
  }

  /// What the help says.
  public var meaning: String {
    switch self {
    case .interval: "a full step every N steps (1 to 10000)"
    case .firstEnhance: "full steps at the beginning (1 to 10000)"
    case .maxOrder: "highest order of the Taylor series (0 to 8)"
    case .outputs: "in what outputs are kept between full steps: float32, or bfloat16, which takes half of the memory"
    case .differences: "in what their differences are kept: float32, or bfloat16"
    case .clusterNum: "clusters of each stream, of which one token each is computed (0 to 65536)"
    case .propagationRatio: "how far features move towards the fresh one of their cluster (0 to 1)"
    case .kMeansIterations: "at most so many iterations of k-means (1 to 1000)"
    case .quirks: "none, or authors: where the authors' code differs from its description, do as the code"
    case .freshRatio: "tokens of the MLPs that are computed at a cached step, as a share (0 to 1)"
    case .cacheType: "how these tokens are chosen: attention or random"
    case .threshold:
      "the change of the first block (teacache, fbcache) or the error of a forecast (speca) above which a step is full "
        + "(0 to 1000)"
    case .decayRate: "what the threshold is multiplied by over a run (0 to 1)"
    case .minTaylorSteps: "cached steps after a full one before forecasts are checked (0 to 10000)"
    case .maxTaylorSteps: "most cached steps after a full one (1 to 10000)"
    case .maxWarmupSteps: "full steps at the beginning (0 to 10000)"
    case .maxCachedSteps: "most cached steps of a run (-1 to 10000; -1: any number)"
    case .maxContinuousCachedSteps: "most cached steps one after another (-1 to 10000; -1: any number)"
    }
  }

  init?(name: String) {
    guard let option = CacheOption(rawValue: name) ?? Self.otherNames[name] else { return nil }
    self = option
  }
}

/// A caching option that cannot be used, as one sentence.
public struct CacheOptionError: Error, Sendable, CustomStringConvertible {
  public let description: String
}

extension CacheSettings {
  public enum Preset: String, Sendable, CaseIterable {
    case quality
    case balanced
    case fast
  }

  /// These settings with the distance of full steps of a preset, or with its threshold; `balanced` is the family's own.
  public func with(_ preset: Preset, family: CacheSettings) -> CacheSettings {
    var settings = self
    switch preset {
    case .quality: settings.interval = 3
    case .balanced: settings.interval = family.using(method).interval
    case .fast: settings.interval = 7
    }
    // Of the methods that decide by a threshold.
    let threshold = family.using(method).threshold
    settings.threshold = preset == .quality ? threshold / 2 : preset == .fast ? threshold * 2 : threshold
    return settings
  }

  /// Applies `name=value,…`.
  ///
  /// - Throws: ``CacheOptionError`` for an unknown option, one that the method does not have, or a value out of range.
  public mutating func apply(_ options: String) throws {
    for option in options.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let names = CacheOption.allCases.filter { $0.methods.contains(method) }.map(\.rawValue)
      guard parts.count == 2, let name = CacheOption(name: parts[0]) else {
        let known = names.isEmpty ? "it has none" : "it has " + names.joined(separator: ", ")
        throw CacheOptionError(
          description:
            "\"\(option)\" is no option of the caching method \(method.rawValue), written name=value; \(known)")
      }
      guard name.methods.contains(method) else {
        throw CacheOptionError(
          description: "The caching method \(method.rawValue) has no option \(parts[0]); "
            + (names.isEmpty ? "it has none" : "it has " + names.joined(separator: ", ")))
      }
      guard set(name, parts[1]) else {
        throw CacheOptionError(
          description: "\"\(parts[1])\" is no value for the caching option \(parts[0]): \(name.meaning)")
      }
    }
  }

  private mutating func set(_ option: CacheOption, _ value: String) -> Bool {
    func integer(_ range: ClosedRange<Int>, _ keep: (Int) -> Void) -> Bool {
      guard let number = Int(value), range.contains(number) else { return false }
      keep(number)
      return true
    }
    func number(_ range: ClosedRange<Double>, _ keep: (Double) -> Void) -> Bool {
      guard let number = Double(value), range.contains(number) else { return false }
      keep(number)
      return true
    }
    switch option {
    case .interval: return integer(1...10_000) { interval = $0 }
    case .firstEnhance: return integer(1...10_000) { enhancedSteps = $0 }
    case .maxOrder: return integer(0...8) { maximumOrder = $0 }
    case .clusterNum: return integer(0...65_536) { clusters = $0 }
    case .kMeansIterations: return integer(1...1000) { kMeansIterations = $0 }
    case .propagationRatio: return number(0...1) { propagation = $0 }
    case .freshRatio: return number(0...1) { freshRatio = $0 }
    case .threshold: return number(0...1000) { threshold = $0 }
    case .decayRate: return number(0...1) { decay = $0 }
    case .minTaylorSteps: return integer(0...10_000) { minimumCachedSteps = $0 }
    case .maxTaylorSteps: return integer(1...10_000) { maximumContinuousSteps = $0 }
    case .maxWarmupSteps: return integer(0...10_000) { warmupSteps = $0 }
    case .maxCachedSteps: return integer(-1...10_000) { maximumCachedSteps = $0 }
    case .maxContinuousCachedSteps: return integer(-1...10_000) { maximumContinuousSteps = $0 }
    case .cacheType:
      guard let choice = TokenChoice(rawValue: value) else { return false }
      tokenChoice = choice
    case .outputs, .differences:
      guard let precision = FeaturePrecision(rawValue: value) else { return false }
      if option == .outputs { outputs = precision } else { differences = precision }
    case .quirks:
      guard value == "none" || value == "authors" else { return false }
      quirks = value == "authors" ? authorsQuirks : []
    }
    return true
  }
}
