import FeatureCaching

/// The user's choice of feature caching: the method and its numbers, under the names that the command line has for them.
///
/// Of the numbers each method has its own; the others mean nothing to it.
public struct CacheSettings: Sendable, Hashable {
  public enum Method: String, Sendable, Hashable, CaseIterable {
    case none
    case fora
    case taylorseer
    case clusca
    case toca
    case duca
    case speca
    case teacache
    case fbcache
    case taylorSeerLite = "taylorseer-lite"
  }

  /// Whose constants a method has where its authors give them by model.
  public enum Family: String, Sendable, Hashable, CaseIterable {
    case flux
    case dit
    case hunyuan
  }

  public var method: Method
  public var family: Family
  /// N: the distance of full steps.
  public var interval: Int
  /// E: the full steps at the beginning.
  public var enhancedSteps: Int
  /// O: the highest order of differences.
  public var maximumOrder: Int
  /// K: the clusters of a stream.
  public var clusters: Int
  /// γ: how far features move towards the fresh one of their cluster.
  public var propagation: Double
  public var kMeansIterations: Int
  /// The streams whose features move.
  public var propagatingStreams: Set<TokenStream>
  public var quirks: ClusCa.Quirks
  /// What `quirks=authors` means for the family.
  public var authorsQuirks: ClusCa.Quirks
  /// In what the outputs of branches are kept that forecasts are made of.
  public var outputs = FeaturePrecision.float32
  /// In what their differences are kept.
  public var differences = FeaturePrecision.float32
  /// r: how many tokens ToCa and DuCa compute at a cached step; see ``FreshShare``.
  public var freshRatio = 0.1
  /// How ToCa and DuCa choose them.
  public var tokenChoice = TokenChoice.attention
  /// From which change or error on a step is full: of TeaCache and FBCache, and for SpeCa at the beginning of a run.
  public var threshold = 0.1
  /// What SpeCa's threshold is multiplied by over a run.
  public var decay = 0.1
  /// SpeCa: cached steps after a full one before the first check.
  public var minimumCachedSteps = 2
  /// The most cached steps after a full one; for FBCache -1 is any number.
  public var maximumContinuousSteps = 8
  /// FBCache: full steps at the beginning.
  public var warmupSteps = 8
  /// FBCache: the most cached steps of a run; -1 is any number.
  public var maximumCachedSteps = -1

  public enum TokenChoice: String, Sendable, Hashable, CaseIterable {
    case attention
    case random
  }

  public init(
    method: Method = .clusca, family: Family, interval: Int, enhancedSteps: Int, maximumOrder: Int, clusters: Int,
    propagation: Double, kMeansIterations: Int, propagatingStreams: Set<TokenStream>, quirks: ClusCa.Quirks = [],
    authorsQuirks: ClusCa.Quirks = .authorsCode
  ) {
    self.method = method
    self.family = family
    self.interval = interval
    self.enhancedSteps = enhancedSteps
    self.maximumOrder = maximumOrder
    self.clusters = clusters
    self.propagation = propagation
    self.kMeansIterations = kMeansIterations
    self.propagatingStreams = propagatingStreams
    self.quirks = quirks
    self.authorsQuirks = authorsQuirks
  }

  /// The authors' settings for FLUX (arXiv 2509.10312, and the defaults of their code).
  public static let flux = CacheSettings(
    family: .flux, interval: 5, enhancedSteps: 3, maximumOrder: 1, clusters: 16, propagation: 0.005,
    kMeansIterations: 10, propagatingStreams: [.image])

  /// The authors' settings for DiT: the defaults of their code.
  public static let dit = CacheSettings(
    family: .dit, interval: 4, enhancedSteps: 2, maximumOrder: 4, clusters: 16, propagation: 0, kMeansIterations: 100,
    propagatingStreams: [.image])

  /// The authors' settings for HunyuanVideo: those of the scripts that come with their code. Text moves as well.
  public static let hunyuan = CacheSettings(
    family: .hunyuan, interval: 5, enhancedSteps: 1, maximumOrder: 1, clusters: 32, propagation: 0.01,
    kMeansIterations: 10, propagatingStreams: [.image, .text], authorsQuirks: [.authorsCode, .textTakesImageOutputs])

  /// The settings of a family.
  public static func of(_ family: Family) -> CacheSettings {
    switch family {
    case .flux: .flux
    case .dit: .dit
    case .hunyuan: .hunyuan
    }
  }
}
