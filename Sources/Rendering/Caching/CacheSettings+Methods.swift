extension CacheSettings {
  /// These settings with another method, and its authors' numbers for the family. Those of FORA, TaylorSeer and ClusCa are
  /// the same.
  public func using(_ method: Method) -> CacheSettings {
    var settings = self
    settings.method = method
    switch method {
    case .none, .fora, .taylorseer, .clusca: break
    case .toca, .duca: settings.setTokenNumbers()
    case .speca: settings.setSpeculationNumbers()
    case .teacache:
      // Of 0.25 to 0.8 for FLUX and 0.1 to 0.15 for HunyuanVideo. No polynomial is published for the DiT of classes; its
      // number, of changes as they are, is this project's.
      settings.threshold =
        switch family {
        case .flux: 0.4
        case .dit: 0.2
        case .hunyuan: 0.15
        }
    case .fbcache: (settings.threshold, settings.warmupSteps, settings.maximumContinuousSteps) = (0.08, 8, -1)
    case .taylorSeerLite: (settings.interval, settings.enhancedSteps, settings.maximumOrder) = (5, 3, 2)
    }
    return settings
  }

  private mutating func setTokenNumbers() {
    let isDuCa = method == .duca
    switch family {
    case .flux: (interval, enhancedSteps, freshRatio) = (isDuCa ? 5 : 4, 3, 0.1)
    case .dit: (interval, enhancedSteps, freshRatio) = (3, 1, isDuCa ? 0.05 : 0.07)
    // Its attention is never at hand as a matrix; their code chooses at random.
    case .hunyuan: (interval, enhancedSteps, freshRatio, tokenChoice) = (5, 1, 0.1, .random)
    }
  }

  private mutating func setSpeculationNumbers() {
    switch family {
    case .flux:
      (maximumOrder, enhancedSteps, threshold, decay) = (2, 3, 7, 0.3)
      (minimumCachedSteps, maximumContinuousSteps) = (2, 8)
    case .dit:
      (maximumOrder, enhancedSteps, threshold, decay) = (4, 3, 0.3, 0.05)
      (minimumCachedSteps, maximumContinuousSteps) = (2, 5)
    case .hunyuan:
      (maximumOrder, enhancedSteps, threshold, decay) = (1, 1, 1, 0.1)
      (minimumCachedSteps, maximumContinuousSteps) = (4, 12)
    }
  }
}
