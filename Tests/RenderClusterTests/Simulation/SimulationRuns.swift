import Dispatch
import Synchronization

/// Many simulations, on all processors.
enum SimulationRuns {
  struct Result: Sendable {
    var failures: [(seed: UInt64, text: String)] = []
    var events = 0
    var duration = Duration.zero
  }

  static func run(_ seeds: ClosedRange<UInt64>, bug: PlantedBug? = nil, stopsAtFirst: Bool = false) -> Result {
    let clock = ContinuousClock()
    let start = clock.now
    let result = Mutex(Result())
    let next = Atomic<UInt64>(seeds.lowerBound)
    DispatchQueue.concurrentPerform(iterations: 2) { _ in
      while true {
        let seed = next.add(1, ordering: .relaxed).oldValue
        guard seed <= seeds.upperBound else { return }
        let simulation = Simulation(seed: seed, bug: bug)
        let failure = simulation.run()
        let isEnough = result.withLock { result in
          result.events += simulation.events
          if let failure { result.failures.append((seed, failure)) }
          return stopsAtFirst && !result.failures.isEmpty
        }
        if isEnough { return }
      }
    }
    var all = result.withLock { $0 }
    all.failures.sort { $0.seed < $1.seed }
    all.duration = clock.now - start
    return all
  }
}
