/// An option of a caching method as the user writes it: `interval=5`. Some have a second name, that of the authors' code.
public enum CacheOption: String, Sendable, CaseIterable {
  case interval
  case firstEnhance = "first_enhance"
  case maxOrder = "max_order"
  case clusterNum = "cluster_num"
  case propagationRatio = "propagation_ratio"
  case kMeansIterations = "kmeans_iterations"
  case quirks

  private static let otherNames: [String: CacheOption] = [
    "fresh_threshold": .interval, "N": .interval, "E": .firstEnhance, "O": .maxOrder, "K": .clusterNum,
    "gamma": .propagationRatio,
  ]

  /// The methods that the option has a meaning for.
  public var methods: Set<CacheSettings.Method> {
    switch self {
    case .interval, .firstEnhance: [.fora, .taylorseer, .clusca]
    case .maxOrder: [.taylorseer, .clusca]
    case .clusterNum, .propagationRatio, .kMeansIterations, .quirks: [.clusca]
    }
  }

  /// What the help says.
  public var meaning: String {
    switch self {
    case .interval: "a full step every N steps (1 to 10000)"
    case .firstEnhance: "full steps at the beginning (1 to 10000)"
    case .maxOrder: "highest order of the Taylor series (0 to 8)"
    case .clusterNum: "clusters of each stream, of which one token each is computed (0 to 65536)"
    case .propagationRatio: "how far features move towards the fresh one of their cluster (0 to 1)"
    case .kMeansIterations: "at most so many iterations of k-means (1 to 1000)"
    case .quirks: "none, or authors: where the authors' code differs from its description, do as the code"
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

  /// These settings with the distance of full steps of a preset; `balanced` is the family's own.
  public func with(_ preset: Preset, family: CacheSettings) -> CacheSettings {
    var settings = self
    switch preset {
    case .quality: settings.interval = 3
    case .balanced: settings.interval = family.interval
    case .fast: settings.interval = 7
    }
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
    switch option {
    case .interval: return integer(1...10_000) { interval = $0 }
    case .firstEnhance: return integer(1...10_000) { enhancedSteps = $0 }
    case .maxOrder: return integer(0...8) { maximumOrder = $0 }
    case .clusterNum: return integer(0...65_536) { clusters = $0 }
    case .kMeansIterations: return integer(1...1000) { kMeansIterations = $0 }
    case .propagationRatio:
      guard let number = Double(value), number >= 0, number <= 1 else { return false }
      propagation = number
    case .quirks:
      guard value == "none" || value == "authors" else { return false }
      quirks = value == "authors" ? authorsQuirks : []
    }
    return true
  }
}
