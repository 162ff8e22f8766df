/// Finds cuts of the blocks among workers whose stages are not too slow.
protocol StageSearch {
  var costs: StageCosts { get }
  /// Whether there are stages of at most `limit` whose sum is at most `latency`; nil stands for no such cut.
  func isPossible(limit: Int, latency: Int) -> Bool
  /// The least sum of stages of at most `limit`; nil if there is no such cut.
  func leastLatency(limit: Int) -> Int?
  /// The cut with the fewest stages, then the least sum, then the first names, of those whose stages take at most `limit`
  /// and together at most `latency`.
  func best(limit: Int, latency: Int) -> CutModel?
}

/// Blocks cut among workers.
struct CutModel: Equatable {
  struct Part: Equatable {
    var worker: Int
    var blocks: Range<Int>
  }

  var parts: [Part]
  var slowest: Int
  var latency: Int

  init(_ parts: [Part], _ costs: StageCosts) {
    let times = parts.map { costs[$0.worker, $0.blocks.lowerBound, $0.blocks.upperBound] }
    self.parts = parts
    slowest = times.max() ?? 0
    latency = times.reduce(0, +)
  }

  /// Nanoseconds from sample to sample with so many in flight.
  func period(inFlight: Int) -> Int { max(slowest, (latency + inFlight - 1) / inFlight) }
}

extension StageSearch {
  /// The cut with the shortest period, then the fewest stages, then the least latency, then the first names.
  ///
  /// - Parameter bound: no cut with a longer period is of interest.
  func optimum(inFlight: Int, bound: Int, candidates: [Int]) -> CutModel? {
    if inFlight == 1 {
      // The period is the latency, which no limit makes shorter.
      guard let least = leastLatency(limit: bound), least <= bound else { return nil }
      return best(limit: bound, latency: least)
    }
    // The smallest limit that suits: between two costs that a stage can have, only the latency can make a difference.
    let count = candidates.partitioningIndex { $0 > bound }
    let index = candidates[..<count].partitioningIndex { isPossible(period: $0, inFlight: inFlight) }
    var period = index < count ? candidates[index] : bound
    if index > 0, let least = leastLatency(limit: candidates[index - 1]) {
      let between = (least + inFlight - 1) / inFlight
      if between < period || index == count { period = between }
    } else if index == count {
      return nil
    }
    return period <= bound ? best(limit: period, latency: Self.product(period, inFlight)) : nil
  }

  /// A period that a cut keeps and that is at most a hundredth longer than the shortest, found quickly; nil if there is
  /// no cut.
  func nearlyShortestPeriod(inFlight: Int) -> Int? {
    guard var period = leastLatency(limit: StageCosts.never - 1) else { return nil }
    var tooShort = 0
    while period - tooShort > period / 100 + 1 {
      let middle = tooShort + (period - tooShort) / 2
      if isPossible(period: middle, inFlight: inFlight) { period = middle } else { tooShort = middle }
    }
    return period
  }

  private func isPossible(period: Int, inFlight: Int) -> Bool {
    isPossible(limit: period, latency: Self.product(period, inFlight))
  }

  private static func product(_ a: Int, _ b: Int) -> Int {
    let (product, isTooLarge) = a.multipliedReportingOverflow(by: b)
    return isTooLarge ? .max : product
  }
}

extension RandomAccessCollection where Index == Int {
  /// The first index whose element and all behind it are as asked, where these stand behind all others.
  func partitioningIndex(_ isBehind: (Element) -> Bool) -> Int {
    var (low, high) = (startIndex, endIndex)
    while low < high {
      let middle = low + (high - low) / 2
      if isBehind(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
