import Foundation
import Synchronization
import Testing

@testable import RenderCluster

@Suite struct SimulationTests {
  /// `CLUSCA_SIMULATION_SEEDS=100000` for more, `CLUSCA_SIMULATION_SEED=17` for the log of one.
  private static let environment = ProcessInfo.processInfo.environment

  @Test func jobsEndRightWhateverFails() throws {
    if let seed = Self.environment["CLUSCA_SIMULATION_SEED"].flatMap(UInt64.init) {
      let simulation = Simulation(seed: seed, isLogging: true)
      let failure = simulation.run()
      print(simulation.trace.joined(separator: "\n"))
      #expect(failure == nil, "CLUSCA_SIMULATION_SEED=\(seed)")
      return
    }
    let count = Self.environment["CLUSCA_SIMULATION_SEEDS"].flatMap(UInt64.init) ?? 3000
    let result = SimulationRuns.run(1...count)
    for (seed, failure) in result.failures.prefix(20) { Issue.record("CLUSCA_SIMULATION_SEED=\(seed): \(failure)") }
    #expect(result.failures.count == 0)
    print("\(count) seeds, \(result.events) events in \(result.duration)")
  }

  @Test func aSeedAlwaysGivesTheSame() {
    for seed: UInt64 in 1...20 {
      let (one, other) = (Simulation(seed: seed, isLogging: true), Simulation(seed: seed, isLogging: true))
      #expect(one.run() == other.run())
      #expect(one.trace == other.trace)
    }
  }
}
