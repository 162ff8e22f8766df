import FeatureCaching
import Rendering
import Synchronization
import Tensors
import Testing
import Transformers

/// What cached steps overwrite of what full steps have kept, against what models say of their branches.
@Suite(.serialized) struct OverwrittenFeaturesTests {
  /// All that is kept after each step, by name.
  private final class Record: Sendable {
    let steps = Mutex<[Int: [String: Tensor]]>([:])

    func probe(_ step: Int) -> Probe {
      Probe { name, tensor in
        guard name.hasPrefix("cache."), !name.hasPrefix("cache.clusters.") else { return }
        self.steps.withLock { $0[step, default: [:]][String(name.dropFirst("cache.".count))] = tensor }
      }
    }
  }

  private static func name(_ shape: BranchShape, order: Int) -> String {
    "\(shape.branch.block).\(shape.branch.stream).\(shape.branch.part).\(order)"
  }

  /// Cached steps compute some tokens of branches that work on each token for itself; so the last output of these is
  /// overwritten, and neither its differences nor anything of other branches.
  @Test(arguments: TinyFamily.allCases)
  func clusCaOverwritesTheLastOutputsOfTokenwiseBranchesAlone(family: TinyFamily) async throws {
    let record = Record()
    let policy = ClusCa(
      schedule: IntervalSchedule(interval: 3, enhancedSteps: 2), maximumOrder: 2, clusters: 4, propagation: 0.3,
      propagatingStreams: [.image, .text])
    let run = try await family.run(policy, steps: 12, isGuided: false) { step, _ in record.probe(step) }
    let branches = try family.branches
    let overwritten = Set(branches.filter(\.isTokenwise).map { Self.name($0, order: 0) })
    let all = Set(branches.flatMap { shape in (0...2).map { Self.name(shape, order: $0) } })
    #expect(!overwritten.isEmpty && overwritten.count < branches.count)
    let kept = record.steps.withLock { $0 }
    for step in run.kinds.indices.dropFirst(8) {
      let (before, after) = (try #require(kept[step - 1]), try #require(kept[step]))
      #expect(Set(after.keys) == all)
      let changed = Set(after.keys.filter { after[$0] != before[$0] })
      if run.kinds[step].isFull { #expect(changed == all) } else { #expect(changed == overwritten, "step \(step)") }
    }
    #expect(run.kinds.dropFirst(8).contains { !$0.isFull } && run.kinds.dropFirst(8).contains { $0.isFull })
  }

  /// The other policies forecast from what full steps have kept, and leave it as it is.
  @Test(arguments: TinyFamily.allCases)
  func taylorSeerOverwritesNothing(family: TinyFamily) async throws {
    let record = Record()
    let policy = TaylorSeer(schedule: IntervalSchedule(interval: 3, enhancedSteps: 2), maximumOrder: 2)
    let run = try await family.run(policy, steps: 10, isGuided: false) { step, _ in record.probe(step) }
    let kept = record.steps.withLock { $0 }
    for step in run.kinds.indices where !run.kinds[step].isFull {
      #expect(try #require(kept[step]) == (try #require(kept[step - 1])), "step \(step)")
    }
    #expect(run.kinds.contains { !$0.isFull } && kept[0]?.isEmpty == false)
  }
}
