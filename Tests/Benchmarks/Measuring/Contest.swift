import Measuring

/// Ways to do the same work, measured by turns, so that what else the machine does meets all of them.
struct Contest {
  private let ways: [(name: String, run: () -> Void)]

  init(_ ways: [(name: String, run: () -> Void)]) { self.ways = ways }

  /// Times of one call of each way, in the order of the ways.
  ///
  /// - Parameters:
  ///   - rounds: how often each is timed.
  ///   - seconds: how long one timing should at least last; short work is repeated within it.
  func times(rounds: Int, seconds: Double = 0.01) -> [(name: String, wall: Sample, processor: Sample)] {
    let repeats = ways.map { way in
      way.run()  // pages and caches
      let watch = Stopwatch()
      way.run()
      return max(1, min(10_000, Int(seconds / max(watch.seconds, 1e-7))))
    }
    var times = ways.map { (name: $0.name, wall: Sample(), processor: Sample()) }
    for _ in 0..<rounds {
      for index in ways.indices {
        let watch = Stopwatch()
        for _ in 0..<repeats[index] { ways[index].run() }
        times[index].wall.values.append(watch.seconds / Double(repeats[index]))
        times[index].processor.values.append(watch.processorSeconds / Double(repeats[index]))
      }
    }
    return times
  }
}
