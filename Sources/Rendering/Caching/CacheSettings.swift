import FeatureCaching

/// The user's choice of feature caching: the method and its numbers, under the names that the command line has for them.
public struct CacheSettings: Sendable, Hashable {
  public enum Method: String, Sendable, Hashable, CaseIterable {
    case none
    case fora
    case taylorseer
    case clusca
  }

  public var method: Method
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

  public init(
    method: Method = .clusca, interval: Int, enhancedSteps: Int, maximumOrder: Int, clusters: Int, propagation: Double,
    kMeansIterations: Int, propagatingStreams: Set<TokenStream>, quirks: ClusCa.Quirks = [],
    authorsQuirks: ClusCa.Quirks = .authorsCode
  ) {
    self.method = method
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
    interval: 5, enhancedSteps: 3, maximumOrder: 1, clusters: 16, propagation: 0.005, kMeansIterations: 10,
    propagatingStreams: [.image])

  /// The authors' settings for DiT: the defaults of their code.
  public static let dit = CacheSettings(
    interval: 4, enhancedSteps: 2, maximumOrder: 4, clusters: 16, propagation: 0, kMeansIterations: 100,
    propagatingStreams: [.image])

  /// The authors' settings for HunyuanVideo: those of the scripts that come with their code. Text moves as well.
  public static let hunyuan = CacheSettings(
    interval: 5, enhancedSteps: 1, maximumOrder: 1, clusters: 32, propagation: 0.01, kMeansIterations: 10,
    propagatingStreams: [.image, .text], authorsQuirks: [.authorsCode, .textTakesImageOutputs])

  public var policy: any FeatureCachePolicy {
    let schedule = IntervalSchedule(interval: interval, enhancedSteps: enhancedSteps)
    switch method {
    case .none: return NoCaching()
    case .fora: return FORA(schedule: schedule)
    case .taylorseer: return TaylorSeer(schedule: schedule, maximumOrder: maximumOrder)
    case .clusca:
      return ClusCa(
        schedule: schedule, maximumOrder: maximumOrder, clusters: clusters, propagation: Float(propagation),
        propagatingStreams: propagatingStreams, kMeansIterations: kMeansIterations, quirks: quirks)
    }
  }
}
