import FeatureCaching

extension CacheSettings {
  public var policy: any FeatureCachePolicy {
    let schedule = IntervalSchedule(interval: interval, enhancedSteps: enhancedSteps)
    switch method {
    case .none: return NoCaching()
    case .fora: return FORA(schedule: schedule)
    case .taylorseer:
      return TaylorSeer(schedule: schedule, maximumOrder: maximumOrder, precision: seriesPrecision)
    case .clusca:
      return ClusCa(
        schedule: schedule, maximumOrder: maximumOrder, clusters: clusters, propagation: Float(propagation),
        propagatingStreams: propagatingStreams, kMeansIterations: kMeansIterations, quirks: quirks,
        precision: seriesPrecision)
    case .toca: return toCa
    case .duca: return DuCa(toCa)
    case .speca:
      return SpeCa(
        maximumOrder: maximumOrder, enhancedSteps: enhancedSteps, minimumCachedSteps: minimumCachedSteps,
        maximumCachedSteps: maximumContinuousSteps,
        threshold: .init(
          base: threshold, decay: decay, floor: family == .dit ? 0.01 : 0.1, countsFromOne: family == .dit),
        precision: seriesPrecision)
    case .teacache: return TeaCache(threshold: threshold, coefficients: changePolynomial)
    case .fbcache:
      return FBCache(
        threshold: threshold, warmupSteps: warmupSteps,
        maximumCachedSteps: maximumCachedSteps < 0 ? nil : maximumCachedSteps,
        maximumContinuousSteps: maximumContinuousSteps < 0 ? nil : maximumContinuousSteps)
    case .taylorSeerLite: return TaylorSeerLite(schedule: schedule, maximumOrder: maximumOrder)
    }
  }

  private var seriesPrecision: SeriesPrecision { SeriesPrecision(output: outputs, differences: differences) }

  private var toCa: ToCa {
    // 0.25 for each cached step; the squares are those of the code for DiT.
    let bonus = family != .dit ? 0 : method == .duca ? 0.8 : 0.6
    let share: FreshShare =
      switch family {
      case .flux: .towardsTheFront(freshRatio)
      case .dit: .towardsTheEnd(freshRatio)
      case .hunyuan: .even(freshRatio)
      }
    return ToCa(
      rhythm: family == .dit
        ? .slowing(interval: interval)
        : .interval(IntervalSchedule(interval: interval, enhancedSteps: enhancedSteps)),
      share: share,
      selection: tokenChoice == .random ? .random : .attention(ageWeight: 0.25, interval: interval, bonus: bonus))
  }

  /// TeaCache's fit of how much the output changes where the input does, the highest power first (their code for FLUX and
  /// HunyuanVideo); none for the DiT of classes.
  private var changePolynomial: [Double] {
    switch family {
    case .flux: [498.651651, -283.781631, 55.8554382, -3.82021401, 0.264230861]
    case .dit: [1, 0]
    case .hunyuan: [733.226126, -401.131952, 67.5869174, -3.149878, 0.0961237896]
    }
  }
}
