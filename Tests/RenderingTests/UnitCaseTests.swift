import Foundation
import Testing
import Verification

/// The recorded cases of single parts: random numbers, schedulers, operations, tokenizers.
@Suite struct UnitCaseTests {
  /// The fixtures, or the folder that the environment names.
  static let root =
    ProcessInfo.processInfo.environment["CLUSCA_REFERENCE"]
    ?? #filePath.split(separator: "/").dropLast(2).reduce("") { "\($0)/\($1)" } + "/Fixtures/reference"

  @Test(arguments: ["unit_rng", "schedulers", "unit_ops", Verification.tokenizersCase])
  func everyRecordedResultIsMet(name: String) async throws {
    let outcome = try await Verification(root: Self.root).run(name)
    #expect(outcome.failures == [])
    #expect(outcome.tensors > 0)
    if let worst = outcome.worst {
      print("\(name): \(outcome.tensors) tensors, worst \(worst.tensor) \(worst.error) of \(worst.tolerance)")
    }
    for remark in outcome.remarks { print("\(name): \(remark)") }
  }
}
