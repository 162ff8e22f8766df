import Dispatch
import Messaging
import Synchronization

/// Many simulations, on all processors.
enum SimulationRuns {
  struct Result: Sendable {
    var failures: [(seed: UInt64, text: String)] = []
    var events = 0
    /// In how many simulations.
    var situations: [Situation: Int] = [:]
    /// Jobs by how they ended.
    var endings: [JobEnding.Outcome: Int] = [:]
    /// Jobs that were given up for the loss of workers without being poison.
    var innocents = 0
    var duration = Duration.zero
  }

  /// On threads of its own: those of tests must stay free for others that watch the time.
  static func run(_ seeds: ClosedRange<UInt64>, bug: PlantedBug? = nil, stopsAtFirst: Bool = false) async -> Result {
    await withCheckedContinuation { continuation in
      DispatchQueue(label: "simulations", qos: .utility).async {
        continuation.resume(returning: runAll(seeds, bug: bug, stopsAtFirst: stopsAtFirst))
      }
    }
  }

  private static func runAll(_ seeds: ClosedRange<UInt64>, bug: PlantedBug?, stopsAtFirst: Bool) -> Result {
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
          for situation in simulation.situations { result.situations[situation, default: 0] += 1 }
          for job in simulation.jobs {
            guard let (outcome, reason) = job.end else { continue }
            result.endings[outcome, default: 0] += 1
            if outcome == .failed, job.poison == nil, reason == .quarantined { result.innocents += 1 }
          }
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
