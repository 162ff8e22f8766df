import Testing

@testable import RenderCluster

/// Whether simulations are worth something: mistakes that are made on purpose are found.
@Suite(.serialized) struct PlantedBugTests {
  @Test(arguments: PlantedBug.allCases) func aPlantedBugIsFound(_ bug: PlantedBug) {
    let result = SimulationRuns.run(1...10_000, bug: bug, stopsAtFirst: true)
    #expect(!result.failures.isEmpty)
    for (seed, failure) in result.failures.prefix(1) { print("\(bug): seed \(seed): \(failure)") }
  }
}
