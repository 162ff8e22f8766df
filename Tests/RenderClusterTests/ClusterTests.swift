import FeatureCaching
import Rendering
import Tensors
import Testing

@testable import RenderCluster

/// Coordinator and workers over sockets, in one process.
@Suite(.timeLimit(.minutes(2))) struct ClusterTests {
  @Test(arguments: [TinyModel.Family.flux, .dit, .hunyuanVideo])
  func anyNumberOfWorkersGivesTheSameLatents(_ family: TinyModel.Family) async throws {
    let model = try TinyModel(family)
    let blocks = try model.blockCount
    for cuts in [[], [1], [blocks / 2], [1, blocks - 1]] + Self.cutsIntoFour(blocks) {
      let cluster = try await TinyCluster(model, cuts: cuts)
      for worker in 0...cuts.count { try cluster.start("w\(worker)") }
      try await cluster.workersAreHere(cuts.count + 1)
      for cache in TinyModel.caches(family) {
        for isGuided in [false, true] {
          let task = TinyModel.Task(cache: cache, isGuided: isGuided)
          #expect(
            try await cluster.latents(task) == model.latents(task),
            "\(cache.method), stages begin at \(cuts), guided: \(isGuided)")
        }
      }
      await cluster.stop()
    }
  }

  @Test func pipelinesSideBySideGiveTheSameLatents() async throws {
    let model = try TinyModel(.flux)
    let cluster = try await TinyCluster(model, planning: ReplicaPlanner.planning)
    for worker in 0...1 { try cluster.start("w\(worker)") }
    try await cluster.workersAreHere(2)
    for cache in TinyModel.caches(.flux) {
      let task = TinyModel.Task(cache: cache, isGuided: true)
      #expect(try await cluster.latents(task) == model.latents(task), "\(cache.method)")
    }
    // Until their speeds are known, which may lead to another plan, each row is done by a worker of its own.
    let first = cluster.computed.filter { $0.sample.job == 1 }
    #expect(Set(first.map { "\($0.sample.row) \($0.worker) \($0.stage)" }) == ["0 w0 0", "1 w1 0"])
    await cluster.stop()
  }

  /// The first blocks of the second, third and fourth stage, in every way.
  static func cutsIntoFour(_ blocks: Int) -> [[Int]] {
    (1..<blocks).flatMap { first in
      (first + 1..<max(blocks, first + 1)).flatMap { second in
        (second + 1..<max(blocks, second + 1)).map { [first, second, $0] }
      }
    }
  }

  @Test(arguments: [TinyModel.Family.flux, .dit, .hunyuanVideo])
  func everyCutIntoFourStagesInOneProcessGivesTheSameLatents(_ family: TinyModel.Family) async throws {
    let model = try TinyModel(family)
    let cuts = Self.cutsIntoFour(try model.blockCount)
    #expect(!cuts.isEmpty)
    for cache in TinyModel.caches(family) {
      for isGuided in [false, true] {
        let task = TinyModel.Task(cache: cache, isGuided: isGuided)
        let whole = try await model.latents(task)
        for cut in cuts {
          #expect(
            try await model.latents(task, cuts: cut) == whole,
            "\(cache.method), stages begin at \(cut), guided: \(isGuided)")
        }
      }
    }
  }

  @Test(arguments: [CacheSettings.Method.teacache, .fbcache, .speca])
  func aStepThatIsMeasuredAgainByAnotherPipelineHasTheKindThatItHad(_ method: CacheSettings.Method) async throws {
    let model = try TinyModel(.flux)
    let cache = try #require(TinyModel.caches(.flux).first { $0.method == method })
    let task = TinyModel.Task(cache: cache, isGuided: true)
    let kinds = try await model.kinds(task)
    #expect(kinds.contains(where: \.isFull) && kinds.contains { !$0.isFull }, "\(kinds)")
    let cluster = try await TinyCluster(model, cuts: [2])
    for worker in 0..<3 { try cluster.start("w\(worker)") }
    try await cluster.workersAreHere(3)
    let latents = try await cluster.latents(task) { step in
      if step == 4 {
        await cluster.kill("w0")
        cluster.coordinator.workerIsGone("w0")
      }
    }
    #expect(try await latents == model.latents(task))
    await cluster.stop()
  }
}
