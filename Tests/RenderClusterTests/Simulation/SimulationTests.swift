import Foundation
import Synchronization
import Testing

@testable import RenderCluster

@Suite struct SimulationTests {
  /// `CLUSCA_SIMULATION_SEEDS=100000` for more, `CLUSCA_SIMULATION_SEED=17` for the log of one.
  private static let environment = ProcessInfo.processInfo.environment

  @Test func jobsEndRightWhateverFails() async throws {
    if let seed = Self.environment["CLUSCA_SIMULATION_SEED"].flatMap(UInt64.init) {
      let simulation = Simulation(seed: seed, isLogging: true)
      let failure = simulation.run()
      print(simulation.trace.joined(separator: "\n"))
      #expect(failure == nil, "CLUSCA_SIMULATION_SEED=\(seed)")
      return
    }
    let count = Self.environment["CLUSCA_SIMULATION_SEEDS"].flatMap(UInt64.init) ?? 10_000
    let result = await SimulationRuns.run(1...count)
    for (seed, failure) in result.failures.prefix(20) { Issue.record("CLUSCA_SIMULATION_SEED=\(seed): \(failure)") }
    #expect(result.failures.count == 0)
    // The rarest is met once in a thousand.
    for situation in Situation.allCases where count >= 10_000 {
      #expect(result.situations[situation] ?? 0 > 0, "\(situation)")
    }
    // Faults must leave jobs that are done, or nothing would be tested.
    #expect(result.endings[.done] ?? 0 > 2 * Int(count))
    print(Situation.allCases.map { "\($0) \(result.situations[$0] ?? 0)" }.joined(separator: ", "))
    print(
      "\(count) seeds, \(result.events) events in \(result.duration); done, failed, cancelled: "
        + "\([.done, .failed, .cancelled].map { result.endings[$0] ?? 0 }), given up without being poison: \(result.innocents)"
    )
  }

  @Test func aSeedAlwaysGivesTheSame() {
    for seed: UInt64 in 1...20 {
      let (one, other) = (Simulation(seed: seed, isLogging: true), Simulation(seed: seed, isLogging: true))
      #expect(one.run() == other.run())
      #expect(one.trace == other.trace)
    }
  }
}
