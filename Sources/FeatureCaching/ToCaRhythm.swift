/// Which steps of ``ToCa`` and ``DuCa`` are full.
public enum ToCaRhythm: Sendable, Hashable {
  /// Full steps as the other policies have them.
  case interval(IntervalSchedule)
  /// Full steps that come closer as the noise falls, as the authors' code for DiT has them: with j = T − 1 − s, a step is
  /// full if j is a multiple of a distance that each full step sets anew, to round(N / (1.4 − 0.8 j / T)), and to 2 for
  /// 0.2 T ≤ j < 0.4 T. N = 1 makes every step full.
  case slowing(interval: Int)

  /// The kinds of a run's steps, a function of whole numbers alone.
  public func kinds(_ count: Int) -> [StepKind] {
    switch self {
    case .interval(let schedule): return (0..<count).map(schedule.kind)
    case .slowing(let interval):
      guard interval > 1 else { return Array(repeating: .full, count: count) }
      var kinds: [StepKind] = []
      var (lastFull, distance) = (0, 1)
      for step in 0..<count {
        let place = count - 1 - step
        if step == 0 || place % distance == 0 {
          (lastFull, distance) = (step, Self.distance(interval, place, of: count))
          kinds.append(.full)
        } else {
          kinds.append(.cached(distance: step - lastFull))
        }
      }
      return kinds
    }
  }

  /// Whether ``DuCa`` computes no block at a step: those of even places between two full steps, counted from the last one,
  /// or where j is counted, from the next one.
  public func skipsBlocks(_ step: PlannedStep) -> Bool {
    guard case .cached(let distance) = step.kind else { return false }
    switch self {
    case .interval: return distance.isMultiple(of: 2)
    case .slowing(let interval):
      let place = step.steps - 1 - step.index
      return (place % Self.distance(interval, place + distance, of: step.steps)).isMultiple(of: 2)
    }
  }

  private static func distance(_ interval: Int, _ place: Int, of count: Int) -> Int {
    if 5 * place >= count && 5 * place < 2 * count { return 2 }
    let distance = Double(interval) / (1.4 - 0.8 * Double(place) / Double(count))
    return max(1, Int(distance.rounded(.toNearestOrEven)))
  }

  /// What decides the kinds of a run's steps.
  public func schedule(steps count: Int) -> FixedSchedule {
    let kinds = kinds(count)
    // Behind the run there is none.
    return FixedSchedule { $0 < kinds.count ? kinds[$0] : .full }
  }
}
