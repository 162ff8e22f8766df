import FeatureCaching
import Rendering
import Tensors
import Testing
import Transformers

@testable import RenderCluster

/// A stage that ends in the midst of a step: the caches of all stages go back to the last full step, and what came since is
/// done again.
@Suite struct RebuildTests {
  private static let steps = 20
  /// From one loss to the next in a run, which is more than an interval of full steps: what a loss has spoilt is seen
  /// before the next one, or is in what is kept for it.
  private static let distance = 4

  /// Without a cache, and TaylorSeer and ClusCa of each order.
  private static var caches: [CacheSettings] {
    let all = TinyModel.caches(.flux)
    return all.filter { $0.method == .none }
      + all.filter { [.taylorseer, .clusca].contains($0.method) }.flatMap { cache in (0...3).map { cache.ordered($0) } }
  }

  @Test func aStageThatEndsAtAnyStepIsRebuiltWithTheSameBits() async throws {
    let model = try TinyModel(.flux)
    var (cases, wrong) = (0, [String]())
    for cache in Self.caches {
      let task = TinyModel.Task(cache: cache, steps: Self.steps)
      let expected = try await model.latents(task)
      for cuts in [[], [2], [1, 3]] {
        let (stages, others) = (try model.stages(cuts), try model.stages(cuts))
        for stage in stages.indices {
          for first in 0..<Self.distance {
            let steps = Set(stride(from: first, to: Self.steps, by: Self.distance))
            let pipeline = RebuiltPipeline(stages, others, stage: stage, steps: steps, .all)
            if try await pipeline.latents(task, of: model) != expected {
              wrong.append("\(cache.method) \(cache.maximumOrder), \(cuts), stage \(stage) from step \(first) on")
            }
            cases += await pipeline.losses
          }
        }
      }
    }
    #expect(wrong.isEmpty)
    #expect(cases == 9 * Self.steps * (1 + 2 + 3))
    #expect(cases >= 1000)
    print("\(cases) stages rebuilt")
  }

  /// Else the test before would prove nothing.
  @Test(arguments: Recovery.allCases) func onlyTheRightRecoveryGivesTheSameBits(_ recovery: Recovery) async throws {
    let model = try TinyModel(.flux)
    var cache = try #require(TinyModel.caches(.flux).first { $0.method == .clusca }).ordered(2)
    cache.propagation = 0.5
    let task = TinyModel.Task(cache: cache, steps: Self.steps)
    let expected = try await model.latents(task)
    let kinds = try await model.kinds(task)
    // Late, so that there are cached steps before any window. Without any cache a step can only be full; else one that
    // comes behind a cached one shows most.
    let step = try #require(
      kinds.indices.dropLast(2).last { step in
        recovery == .latentsAlone ? kinds[step].isFull : !kinds[step].isFull && !kinds[step - 1].isFull
      })
    let (stages, others) = (try model.stages([1, 3]), try model.stages([1, 3]))
    let latents = try await RebuiltPipeline(stages, others, stage: 1, steps: [step], recovery).latents(task, of: model)
    #expect((latents == expected) == (recovery == .all))
  }
}

/// How a pipeline goes on that has lost a stage.
enum Recovery: CaseIterable {
  /// All stages go back to the last full step, with what its snapshot kept, and do again what came since.
  case all
  /// Only who takes the lost one's place gets what the snapshot kept; nothing is done again.
  case replacementAlone
  /// All go back, and nothing is done again.
  case withoutReplay
  /// Caches are empty, and nothing is done again: the latents alone were saved.
  case latentsAlone
  /// Caches are empty, and as many full steps are done again as make all orders.
  case fullStepsAgain
  /// With the cached steps in between.
  case windowAgain
  /// With them, and with the centroids from before the first.
  case windowAgainWithCentroids
}

/// Stages of which one is lost while it computes steps that those before it have done already.
private actor RebuiltPipeline: StageTransport {
  private var stages: [Stage]
  private var others: [Stage]
  private let lost: Int
  private let steps: Set<Int>
  private(set) var losses = 0
  private let recovery: Recovery
  private var setup: SampleSetup?
  /// All that came so far.
  private var done: [(context: StepContext, latents: Tensor)] = []
  /// What each stage kept before a full step, by the step's place.
  private var kept: [(place: Int, snapshots: [CacheSnapshot])] = []

  /// - Parameters:
  ///   - others: of the same blocks as `stages`; that of the lost one takes its place.
  ///   - stage: the one that is lost.
  ///   - steps: at which it is.
  init(_ stages: [Stage], _ others: [Stage], stage: Int, steps: Set<Int>, _ recovery: Recovery) {
    (self.stages, self.others, lost, self.steps, self.recovery) = (stages, others, stage, steps, recovery)
  }

  /// After each step; those until an error, if there is one.
  func latents(_ task: TinyModel.Task, of model: TinyModel) async throws -> [Tensor] {
    var latents: [Tensor] = []
    for try await step in Denoiser(try model.denoising(task), over: self) { latents.append(step.latents) }
    return latents
  }

  func open(_ setup: SampleSetup) async throws {
    self.setup = setup
    for stage in stages { try await stage.open(setup) }
  }

  func step(_ context: StepContext, latents: Tensor, probe: Probe?) async throws -> StepResult {
    if context.kind.isFull {
      var snapshots: [CacheSnapshot] = []
      for stage in stages { snapshots.append(try await stage.snapshot(of: context.sample)) }
      kept.append((done.count, snapshots))
    }
    if steps.contains(context.index) {
      try await begin(context, latents)
      try await recover()
    }
    done.append((context, latents))
    return try await LocalTransport(stages).step(context, latents: latents, probe: nil)
  }

  /// The stages before the lost one do the step.
  private func begin(_ context: StepContext, _ latents: Tensor) async throws {
    var input = Stage.Input.latents(latents)
    for stage in stages.prefix(lost) {
      if case .state(let state) = try await stage.run(context, input).output { input = .state(state) }
    }
  }

  private func recover() async throws {
    guard let setup, let last = kept.last else { return }
    await stages[lost].close(setup.id)
    (stages[lost], others[lost]) = (others[lost], stages[lost])
    losses += 1
    let window = kept.suffix(setup.orders + 1)
    switch recovery {
    case .all:
      try await goBack(to: last.snapshots)
      try await replay(done[last.place...])
    case .replacementAlone:
      try await stages[lost].open(setup)
      try await restore(lost, last.snapshots[lost])
    case .withoutReplay: try await goBack(to: last.snapshots)
    case .latentsAlone: try await goBack(to: stages.map { _ in CacheSnapshot() })
    case .fullStepsAgain:
      try await goBack(to: stages.map { _ in CacheSnapshot() })
      try await replay(done[window[window.startIndex].place...].filter { $0.context.kind.isFull })
    case .windowAgain, .windowAgainWithCentroids:
      let first = window[window.startIndex]
      try await goBack(
        to: first.snapshots.map { snapshot in
          guard recovery == .windowAgainWithCentroids else { return CacheSnapshot() }
          return CacheSnapshot(
            snapshot.entries.filter { $0.name.hasPrefix("centroids") }, lastFullStep: snapshot.lastFullStep)
        })
      try await replay(done[first.place...])
    }
  }

  /// All stages forget the sample and begin it with snapshots.
  private func goBack(to snapshots: [CacheSnapshot]) async throws {
    guard let setup else { return }
    for (index, stage) in stages.enumerated() {
      await stage.close(setup.id)
      try await stage.open(setup)
      try await restore(index, snapshots[index])
    }
  }

  /// That of the lost stage comes over the wire.
  private func restore(_ stage: Int, _ snapshot: CacheSnapshot) async throws {
    guard let setup else { return }
    let snapshot = stage == lost ? try SnapshotTests.arrived(SnapshotParcel(snapshot)) : snapshot
    try await stages[stage].restore(snapshot, of: setup.id)
  }

  private func replay(_ steps: some Sequence<(context: StepContext, latents: Tensor)>) async throws {
    for (context, latents) in steps {
      _ = try await LocalTransport(stages).step(context, latents: latents, probe: nil)
    }
  }

  func measure(_ context: StepContext, latents: Tensor) async throws -> Float? { nil }

  func close(_ id: SampleID) async { for stage in stages { await stage.close(id) } }

  var cacheBytes: Int { 0 }
}

extension CacheSettings {
  fileprivate func ordered(_ order: Int) -> CacheSettings {
    var cache = self
    cache.maximumOrder = order
    return cache
  }
}

extension SampleSetup {
  /// Those that its cache extrapolates with.
  fileprivate var orders: Int { (policy as? ClusCa)?.maximumOrder ?? 0 }
}
